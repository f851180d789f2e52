-- After fenced.lua: restore documents from the stream into which remove_documents.lua has moved them.
-- KEYS[3] stream, KEYS[4] hash. ARGV[4] the id after which to begin, ARGV[5] the most entries, ARGV[6] bytes after which
-- the script ends, ARGV[7] the field of the hash that counts restored documents.
-- Returns the id of the last entry read, or '' at the end of the stream; then the keys that exist. Their entries stay.
local size, restored, last = 0, 0, ''
local taken = {}
local after = ARGV[4]
for _ = 1, tonumber(ARGV[5]) do
  if size > tonumber(ARGV[6]) then break end
  -- One by one: entries can be large.
  local entry = redis.call('XRANGE', KEYS[3], '(' .. after, '+', 'COUNT', 1)[1]
  if not entry then
    last = ''
    break
  end
  last, after = entry[1], entry[1]
  local stored = {}
  for at = 1, #entry[2], 2 do stored[entry[2][at]] = entry[2][at + 1] end
  size = size + #stored.dump
  if redis.call('EXISTS', stored.key) == 1 then
    taken[#taken + 1] = stored.key
  else
    if stored.expires_ms == '-1' then
      redis.call('RESTORE', stored.key, 0, stored.dump)
    else
      redis.call('RESTORE', stored.key, stored.expires_ms, stored.dump, 'ABSTTL')
    end
    redis.call('XDEL', KEYS[3], entry[1])
    restored = restored + 1
  end
end
if restored > 0 then redis.call('HINCRBY', KEYS[4], ARGV[7], restored) end
return {last, unpack(taken)}
