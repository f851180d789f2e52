-- Put before every script that writes: nothing happens once another run has raised the fence.
-- KEYS: fence, lease, ... ARGV: token, holder (JSON), lease milliseconds, ...
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('FENCED another run holds the lease')
end
-- The first writes are such as a server refuses at its maxmemory: then the script ends here, with nothing done. (After
-- a first write that it allows, it would let all others pass.)
if not redis.call('HMGET', KEYS[2], 'token')[1] then
  -- It expired while this run was slow, and no other run acquired it: the token is still ours, so it is acquired again.
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[2], 'token', ARGV[1], 'holder', ARGV[2],
    'since_ms', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
end
redis.call('HINCRBY', KEYS[2], 'renewals', 1)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
