-- Refuse on another server process than the one that these writes rely on: it may have lost what came before them.
local function other_server(run_id)
  if run_id == '' or string.find(redis.call('INFO', 'server'), 'run_id:' .. run_id, 1, true) then return nil end
  return redis.error_reply('RESTARTED the server was restarted and may have lost what was written before')
end
