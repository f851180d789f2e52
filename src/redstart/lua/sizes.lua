-- Return the size in memory of JSON documents, in order, until their sum reaches the size of a page.
-- ARGV: bytes of a page, keys. Returns sizes for the first keys, at least one; 0 for a key that does not exist or has
-- another type. (The larger a document, the longer the server takes to find its size: the limit bounds the time, too.)
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
