-- Give the lease back, and lower the fence so that nothing of ours can write any more.
-- KEYS: fence, lease. ARGV: token, or "" to break whatever lease there is.
-- Answers {number of keys removed}, or as acquire.lua where another program has written a key; then both stay.
for number, kind in ipairs({'string', 'hash'}) do
  local found = redis.call('TYPE', KEYS[number]).ok
  if found ~= kind and found ~= 'none' then return {-1, number, found, kind} end
end
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0} end
return {redis.call('DEL', KEYS[1], KEYS[2])}
