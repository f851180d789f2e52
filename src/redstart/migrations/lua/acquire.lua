-- Take the lease if it is free, ours already (a repeated request), or held by the token that may be replaced.
-- KEYS: fence, lease. ARGV: token, holder (JSON), lease milliseconds, replaceable token or "".
-- Answers {1} when taken, else {0, token, holder, since_ms, renewals, now_ms, activity or ''}.
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[2], 'token', 'holder', 'since_ms', 'renewals', 'activity')
if held[1] and held[1] ~= ARGV[1] and held[1] ~= ARGV[4] then
  return {0, held[1], held[2], tonumber(held[3]), tonumber(held[4]), now_ms, held[5] or ''}
end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'token', ARGV[1], 'holder', ARGV[2], 'since_ms', string.format('%.0f', now_ms), 'renewals', 0)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {1}
