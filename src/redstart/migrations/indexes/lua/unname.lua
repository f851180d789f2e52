-- After fenced.lua and resolve.lua: take an alias away, so that its name leads nowhere, as before the migration.
-- ARGV[4] name. Answers 'removed', 'absent' or 'index' when an index of that name stands there.
local found = resolve(ARGV[4])
if not found then return 'absent' end
if found == ARGV[4] then return 'index' end
redis.call('FT.ALIASDEL', ARGV[4])
return 'removed'
