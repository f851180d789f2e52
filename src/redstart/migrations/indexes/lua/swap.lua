-- After fenced.lua, resolve.lua and drop_index.lua: let a name lead to another index, without a moment in which it
-- leads nowhere.
-- ARGV[4] name, ARGV[5] index it shall lead to, ARGV[6] index it leads to now as the caller knows it, '' for none.
-- Answers {'swapped' | 'already' | 'changed' | 'missing', index it leads to now or ''}.
local name, wanted, expected = ARGV[4], ARGV[5], ARGV[6]
local found = resolve(name)
if found == wanted then return {'already', wanted} end
if resolve(wanted) ~= wanted then return {'missing', found or ''} end
if (found or '') ~= expected then return {'changed', found or ''} end
-- An index of this name hides the alias; dropping it shows the alias. A hidden one of old may lead elsewhere.
redis.pcall('FT.ALIASADD', name, wanted)
if found == name then
  local dropped = drop_index(name)
  if dropped.err then return dropped end
end
if resolve(name) ~= wanted then redis.call('FT.ALIASUPDATE', name, wanted) end
return {'swapped', resolve(name) or ''}
