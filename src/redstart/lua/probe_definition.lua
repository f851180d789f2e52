-- After drop_index.lua: how the server interprets arguments of FT.CREATE, tried on a scratch index that scans nothing,
-- and is dropped at the end of this script, so that no other client sees it.
-- ARGV[1] the scratch index, ARGV[2...] the arguments after the name.
-- Returns {'understood', FT.INFO}, or {'refused', the server's error}.
local dropped = drop_index(ARGV[1])
-- Who may not drop it would leave it behind.
if dropped.err and string.find(dropped.err, 'permission', 1, true) then return {'refused', dropped.err} end
local created = redis.pcall('FT.CREATE', ARGV[1], 'SKIPINITIALSCAN', unpack(ARGV, 2))
if created.err then return {'refused', created.err} end
local info = redis.pcall('FT.INFO', ARGV[1])
drop_index(ARGV[1])
if info.err then return {'refused', info.err} end
return {'understood', info}
