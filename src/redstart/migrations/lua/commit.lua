-- After fenced.lua and same_server.lua: several writes to our own state keys as one unit.
-- ARGV[4]: msgpack list of commands, each a list of words. Answers their replies.
-- ARGV[5]: run id of the server that these commands rely on, or ''.
local refusal = other_server(ARGV[5])
if refusal then return refusal end
-- COUNT hash field key: set the field to the number of entries of the key. Safe to repeat, as an increment is not.
-- A record without the number of a run is one that a restarted server has lost: it counts nothing until the next run.
local function count(hash, field, key)
  if field ~= 'unrestored_members' and not redis.call('HGET', hash, 'generation') then return 0 end
  local kind = redis.call('TYPE', key).ok
  local members = kind == 'set' and redis.call('SCARD', key) or kind == 'hash' and redis.call('HLEN', key) or 0
  return redis.call('HSET', hash, field, members)
end
local replies = {}
for index, command in ipairs(cmsgpack.unpack(ARGV[4])) do
  replies[index] = command[1] == 'COUNT' and count(unpack(command, 2)) or redis.call(unpack(command))
end
return replies
