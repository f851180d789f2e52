-- The size in memory of JSON documents, in order, until they are as many bytes as a page may have.
-- ARGV: bytes of a page, longest time in microseconds, keys. Answers a size for each key it came to, the first at least;
-- 0 for a key that is gone or holds something else. (A document's size takes the longer the more values it has.)
local total, began, sizes = 0, os.clock(), {}
for index = 3, #ARGV do
  local size = redis.pcall('JSON.DEBUG', 'MEMORY', ARGV[index])
  if type(size) == 'table' and size.err then
    if string.find(size.err, 'NOPERM', 1, true) or string.find(size.err, 'permission', 1, true) then return size end
    size = 0
  end
  size = tonumber(size) or 0
  sizes[#sizes + 1] = size
  total = total + size
  if total > tonumber(ARGV[1]) or (os.clock() - began) * 1000000 > tonumber(ARGV[2]) then break end
end
return sizes
