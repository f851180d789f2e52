-- After drop_index.lua: whether a filter on a scalar path keeps documents of both formats in an index, tried on two
-- scratch documents, in one script, so that no other client sees them.
-- KEYS: two scratch keys. ARGV: scratch index, its prefix, the path, the type of its field. Returns how many of the two
-- it holds.
drop_index(ARGV[1])
local created = redis.pcall('FT.CREATE', ARGV[1], 'ON', 'JSON', 'PREFIX', '1', ARGV[2], 'SCHEMA', ARGV[3], 'AS', 'at', ARGV[4])
if created.err then return 0 end
redis.call('JSON.SET', KEYS[1], '$', '{"at":"2023-01-01"}')
redis.call('JSON.SET', KEYS[2], '$', '{"at":1672531200.0}')
local found = redis.pcall('FT.SEARCH', ARGV[1], '*', 'NOCONTENT', 'TIMEOUT', '0', 'DIALECT', '2')
redis.call('DEL', KEYS[1], KEYS[2])
drop_index(ARGV[1])
return found.err and 0 or found[1]
