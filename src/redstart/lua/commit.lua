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
-- REMOVE kind key [kind key ...]: delete keys. Answers how many there were.
local function remove(...)
  local removed = 0
  for at = 2, select('#', ...), 2 do removed = removed + redis.call('UNLINK', (select(at, ...))) end
  return removed
end
-- LENGTH key hash: set a string to the number of fields of a hash. Safe to repeat.
local function length(key, hash)
  return redis.call('SET', key, redis.call('HLEN', hash))
end
-- MARK set member hash: add a member to a set of documents; the hash counts the members, see `Record`. Safe to repeat.
local function mark(set, member, hash)
  local counted = 'members:' .. string.match(set, 'processed:([^:]+):%x+$')
  return redis.call('HINCRBY', hash, counted, redis.call('SADD', set, member))
end
-- TAKE stream id hash field: remove an entry of a stream, and count it no more. Safe to repeat.
local function take(stream, id, hash, field)
  return redis.call('HINCRBY', hash, field, -redis.call('XDEL', stream, id))
end
local own = {COUNT = count, LENGTH = length, MARK = mark, REMOVE = remove, TAKE = take}
local kinds = {LENGTH = 'string', SET = 'string', HSET = 'hash', HDEL = 'hash', HINCRBY = 'hash', SADD = 'set', SREM = 'set', MARK = 'set', TAKE = 'stream'}
local commands = cmsgpack.unpack(ARGV[4])
-- What is of another type is another program's: it is neither removed nor written over, and then nothing is done.
for _, command in ipairs(commands) do
  local typed = command[1] == 'REMOVE' and {unpack(command, 2)} or {kinds[command[1]] or 'any', command[2]}
  for at = 1, #typed, 2 do
    local kind, key = typed[at], typed[at + 1]
    local found = kind ~= 'any' and redis.call('TYPE', key).ok or 'none'
    if found ~= 'none' and found ~= kind then
      return redis.error_reply('FOREIGN ' .. found .. ' ' .. kind .. ' ' .. key)
    end
  end
end
local replies = {}
for index, command in ipairs(commands) do
  replies[index] = own[command[1]] and own[command[1]](unpack(command, 2)) or redis.call(unpack(command))
end
return replies
