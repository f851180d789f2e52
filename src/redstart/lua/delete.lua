-- Delete keys, in order, for about 5 ms, so that other clients are served in between. To free a JSON document of 4 MB
-- takes longer.
-- KEYS: the keys. Answers {how many keys it came to, the first at least; how many of these there were}.
local began, deleted = os.clock(), 0
for index, key in ipairs(KEYS) do
  deleted = deleted + redis.call('DEL', key)
  if os.clock() - began > 0.005 then return {index, deleted} end
end
return {#KEYS, deleted}
