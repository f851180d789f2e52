-- Return whole documents, in order, until their sum reaches the size of a page.
-- ARGV: bytes of a page, then the storage (hash or json) and the key of each document.
-- Returns replies for the first documents, at least one: alternating fields and values of a hash, or the text of a JSON
-- document; nil for a key that does not exist or has another type.
local total, documents = 0, {}
for index = 2, #ARGV, 2 do
  local reply
  if ARGV[index] == 'hash' then
    reply = redis.pcall('HGETALL', ARGV[index + 1])
  else
    reply = redis.pcall('JSON.GET', ARGV[index + 1])
  end
  if type(reply) == 'string' then
    total = total + #reply
  elseif type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'NOPERM', 1, true) or string.find(reply.err, 'permission', 1, true) then return reply end
    reply = false
  elseif reply then
    for _, text in ipairs(reply) do total = total + #text end
  end
  documents[#documents + 1] = reply
  if total > tonumber(ARGV[1]) then break end
end
return documents
