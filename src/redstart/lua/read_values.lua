-- Return the planned values of JSON documents, in order, until their sizes reach a limit. Reads only.
-- ARGV[1]  bytes after which no other document is read; ARGV[2] '1' if one is read in any case
-- ARGV[3]  '1' if documents may be large: then the limit is of sizes in memory, which bounds the time, too (the larger a
--          document, the longer the server takes to find its size); ARGV[4] the size up to which one is read as a whole;
--          ARGV[5] the size above which it is not read
-- ARGV[6]  n, then n paths, then the keys
-- Returns for the first keys: a list with the reply for the paths; the text of a whole document; 1 for a document that is
-- too large; nil for a key that does not exist or has another type.
local limit, may_be_large, total = tonumber(ARGV[1]), ARGV[3] == '1', 0
local small, large, count = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local pcall = redis.pcall
local first = 7 + count

local function is_refused(reply)
  return string.find(reply.err, 'NOPERM', 1, true) or string.find(reply.err, 'permission', 1, true)
end

local function read(key, must_fit)
  local size
  if may_be_large then
    size = pcall('JSON.DEBUG', 'MEMORY', key)
    if type(size) == 'table' then return size end
    if type(size) ~= 'number' then return false end
    total = total + size
    if must_fit and total > limit then return false end
    if size > large then return 1 end
    if size <= small then return pcall('JSON.GET', key) end
  end
  local text = pcall('JSON.GET', key, unpack(ARGV, 7, first - 1))
  if type(text) ~= 'string' then return text end
  if not size then total = total + #text end
  return {text}
end

local replies = {}
for index = first, #ARGV do
  local must_fit = index > first or ARGV[2] ~= '1'
  local reply = read(ARGV[index], must_fit)
  if type(reply) == 'table' and reply.err then
    if is_refused(reply) then return reply end
    reply = false
  end
  if must_fit and total > limit then break end
  replies[#replies + 1] = reply or false
end
return replies
