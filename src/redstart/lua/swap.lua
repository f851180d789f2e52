-- After fenced.lua, resolve.lua and drop_index.lua: point an alias to another index, without a moment in which it
-- points to none.
-- ARGV[4] alias, ARGV[5] new index, ARGV[6] current index as known to the caller, '' for none,
-- ARGV[7...] other aliases, which follow if they point to that index as well.
-- Returns {'swapped' | 'already' | 'changed' | 'missing', the index it points to now or ''}.
local name, wanted, expected = ARGV[4], ARGV[5], ARGV[6]
local found = resolve(name)
if found == wanted then return {'already', wanted} end
if resolve(wanted) ~= wanted then return {'missing', found or ''} end
if (found or '') ~= expected then return {'changed', found or ''} end
local followers = {}
for position = 7, #ARGV do
  if found and resolve(ARGV[position]) == found then followers[#followers + 1] = ARGV[position] end
end
-- An index of this name hides the alias; dropping it shows the alias. One that was hidden may point to another index.
redis.pcall('FT.ALIASADD', name, wanted)
if found == name then
  local dropped = drop_index(name)
  if dropped.err then return dropped end
end
if resolve(name) ~= wanted then redis.call('FT.ALIASUPDATE', name, wanted) end
for _, alias in ipairs(followers) do
  -- Where the index was dropped, its aliases went with it.
  if redis.pcall('FT.ALIASUPDATE', alias, wanted).err then redis.pcall('FT.ALIASADD', alias, wanted) end
end
return {'swapped', resolve(name) or ''}
