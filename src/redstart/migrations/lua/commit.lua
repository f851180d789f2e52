-- After fenced.lua: several writes to our own state keys as one unit.
-- ARGV[4]: msgpack list of commands, each a list of words. Answers their replies.
-- ARGV[5]: run id of the server that these commands rely on, or ''.
if ARGV[5] ~= '' and not string.find(redis.call('INFO', 'server'), 'run_id:' .. ARGV[5], 1, true) then
  return redis.error_reply('BEHIND the server was restarted and may have lost what was written before')
end
local replies = {}
for index, command in ipairs(cmsgpack.unpack(ARGV[4])) do
  replies[index] = redis.call(unpack(command))
end
return replies
