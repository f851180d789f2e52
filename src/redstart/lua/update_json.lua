-- Write some members of a JSON document, as one step.
--
-- KEYS: the document
-- ARGV: five for each member:
--   the path of the object it stands in, its own path, its text; the path and the text of the whole it belongs to,
--   a member of the document itself, which is written where that object is not there
--
-- Answers nil where there is no such document.
local key = KEYS[1]
if redis.call('EXISTS', key) == 0 then
  return false
end
for first = 1, #ARGV, 5 do
  local holder = redis.call('JSON.TYPE', key, ARGV[first])
  if holder[1] == 'object' then
    redis.call('JSON.SET', key, ARGV[first + 1], ARGV[first + 2])
  else
    redis.call('JSON.SET', key, ARGV[first + 3], ARGV[first + 4])
  end
end
return redis.status_reply('OK')
