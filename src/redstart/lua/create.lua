-- After fenced.lua and resolve.lua: create an index, unless its name exists. (FT.CREATE itself would hide an alias of
-- that name.) In the same step, set redis-om's keys for the index.
-- KEYS[3], KEYS[4] the keys of hash and schema. ARGV[4] name, ARGV[5] hash, ARGV[6] schema, ARGV[7...] the arguments of
-- FT.CREATE after the name. Returns {'created'}, {'there'}, or {'refused', the server's error}.
local name = ARGV[4]
if resolve(name) then return {'there'} end
local created = redis.pcall('FT.CREATE', name, unpack(ARGV, 7))
if created.err then return {'refused', created.err} end
redis.call('SET', KEYS[3], ARGV[5])
redis.call('SET', KEYS[4], ARGV[6])
return {'created'}
