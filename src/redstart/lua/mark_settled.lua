-- After fenced.lua: mark an index that needs no record by an alias.
-- ARGV[4]: the alias, ARGV[5]: the index.
local reply = redis.pcall('FT.ALIASUPDATE', ARGV[4], ARGV[5])
return type(reply) == 'table' and reply.err ~= nil and reply.err or 'OK'
