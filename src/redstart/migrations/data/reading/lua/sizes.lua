-- The size in memory of JSON documents, in order, until they are as many bytes as a page may have.
-- ARGV: bytes of a page, keys. Answers a size for each key it came to, the first at least; 0 for a key that is gone or
-- holds something else. (To find a size takes the server the longer the larger the document is: the bytes bound the time.)
local limit, total, sizes = tonumber(ARGV[1]), 0, {}
local pcall = redis.pcall
for index = 2, #ARGV do
  local size = pcall('JSON.DEBUG', 'MEMORY', ARGV[index])
  if type(size) ~= 'number' then
    local refusal = type(size) == 'table' and size.err or ''
    if string.find(refusal, 'NOPERM', 1, true) or string.find(refusal, 'permission', 1, true) then return size end
    size = 0
  end
  sizes[index - 1] = size
  total = total + size
  if total > limit then break end
end
return sizes
