-- After fenced.lua, resolve.lua and drop_index.lua: drop an index, unless a name that queries use points to it.
-- ARGV[4] index, ARGV[5...] names that queries use. Returns 'dropped', 'absent' or 'active'.
local index = ARGV[4]
if resolve(index) ~= index then return 'absent' end
for position = 5, #ARGV do
  if ARGV[position] ~= index and resolve(ARGV[position]) == index then return 'active' end
end
local dropped = drop_index(index)
return dropped.err and dropped or 'dropped'
