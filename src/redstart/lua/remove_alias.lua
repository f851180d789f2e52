-- After fenced.lua and resolve.lua: remove an alias, so that its name does not exist, as before the migration.
-- ARGV[4] name. Returns 'removed', 'absent', or 'index' if it is the name of an index.
local found = resolve(ARGV[4])
if not found then return 'absent' end
if found == ARGV[4] then return 'index' end
redis.call('FT.ALIASDEL', ARGV[4])
return 'removed'
