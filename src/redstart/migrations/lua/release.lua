-- Give the lease back, and lower the fence so that nothing of ours can write any more.
-- KEYS: fence, lease. ARGV: token, or "" to break whatever lease there is.
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1], KEYS[2])
