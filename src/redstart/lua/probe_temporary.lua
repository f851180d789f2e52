-- After drop_index.lua: whether it leaves the documents of an index that was created with TEMPORARY, tried on a scratch
-- index and a scratch document.
-- KEYS: a scratch key. ARGV: scratch index, its prefix. Returns 1 if so, or if the server has no temporary indexes.
drop_index(ARGV[1])
local created = redis.pcall('FT.CREATE', ARGV[1], 'ON', 'HASH', 'PREFIX', '1', ARGV[2], 'TEMPORARY', '1000', 'SCHEMA', 'at', 'TAG')
if created.err then return 1 end
redis.call('HSET', KEYS[1], 'at', '1')
drop_index(ARGV[1])
return redis.call('DEL', KEYS[1])
