-- Put before every script that writes: nothing happens once another run has raised the fence.
-- KEYS: fence, lease, ... ARGV: token, holder (JSON), lease milliseconds, ...
-- A token that ends with `@` and a run id is valid for that server process only. (Some services do not permit INFO in
-- scripts; there is no such check on them.)
local only_on = string.match(ARGV[1], '@(%x+)$')
if only_on then
  local server = redis.pcall('INFO', 'server')
  if type(server) == 'string' and not string.find(server, 'run_id:' .. only_on, 1, true) then
    return redis.error_reply('RESTARTED the server was restarted or replaced and may have lost what was written before')
  end
end
local fence = redis.call('GET', KEYS[1])
if not fence then return redis.error_reply('UNFENCED the lease was removed') end
if fence ~= ARGV[1] then return redis.error_reply('FENCED another run holds the lease') end
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
