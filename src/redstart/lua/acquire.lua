-- Take the lease if it is free, ours already (a repeated request), or held by the token that may be replaced.
-- KEYS: fence, lease. ARGV: token, holder (JSON), lease milliseconds, replaceable token or "".
-- Answers {1} when taken, {-1, number of the key, its type, the expected one} where another program has written a key,
-- else {0, token, holder, since_ms, renewals, now_ms, activity or ''}; what is missing of these is nil.
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local found
for number, kind in ipairs({'string', 'hash'}) do
  found = redis.call('TYPE', KEYS[number]).ok
  if found ~= kind and found ~= 'none' then return {-1, number, found, kind} end
end
local held = redis.call('HMGET', KEYS[2], 'token', 'holder', 'since_ms', 'renewals', 'activity')
if not held[1] and found ~= 'none' then return {0, false, false, false, false, now_ms, ''} end
if held[1] and held[1] ~= ARGV[1] and held[1] ~= ARGV[4] then
  return {0, held[1], held[2], held[3], held[4], now_ms, held[5] or ''}
end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'token', ARGV[1], 'holder', ARGV[2], 'since_ms', string.format('%.0f', now_ms), 'renewals', 0)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {1}
