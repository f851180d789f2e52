-- After fenced.lua: several writes to our own state keys as one unit.
-- ARGV[4]: msgpack list of commands, each a list of words. Answers their replies.
local replies = {}
for index, command in ipairs(cmsgpack.unpack(ARGV[4])) do
  replies[index] = redis.call(unpack(command))
end
return replies
