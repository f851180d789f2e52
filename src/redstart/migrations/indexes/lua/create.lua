-- After fenced.lua and resolve.lua: create an index, unless its name leads somewhere. (FT.CREATE itself would hide an
-- alias of that name.) With it, in one step, what redis-om keeps beside an index.
-- KEYS[3], KEYS[4] where the hash and the schema are kept. ARGV[4] name, ARGV[5] hash, ARGV[6] schema, ARGV[7...] the
-- words of FT.CREATE behind the name. Answers {'created'}, {'there'}, or {'refused', what the server said}.
local name = ARGV[4]
if resolve(name) then return {'there'} end
local created = redis.pcall('FT.CREATE', name, unpack(ARGV, 7))
if created.err then return {'refused', created.err} end
redis.call('SET', KEYS[3], ARGV[5])
redis.call('SET', KEYS[4], ARGV[6])
return {'created'}
