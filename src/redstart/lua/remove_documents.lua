-- After fenced.lua and document_state.lua: move documents into a stream, each with everything that restores it: one
-- entry for each document.
-- KEYS[3] stream, KEYS[4] hash. ARGV[4] the type of the documents, ARGV[5] the name of the model, ARGV[6] the field of
-- the hash that counts removed documents, ARGV[7] bytes after which the script ends, ARGV[8] msgpack list of keys.
-- Returns the number of keys handled, from the first on: at least one.
local keys = cmsgpack.unpack(ARGV[8])
local size, removed, handled = 0, 0, 0
for _, key in ipairs(keys) do
  if size > tonumber(ARGV[7]) then break end
  handled = handled + 1
  if redis.call('TYPE', key).ok == ARGV[4] then
    local dump = redis.call('DUMP', key)
    redis.call('XADD', KEYS[3], '*', 'model', ARGV[5], 'key', key, 'expires_ms', expires_ms(key), 'dump', dump)
    redis.call('UNLINK', key)
    removed, size = removed + 1, size + #dump
  end
end
if removed > 0 then redis.call('HINCRBY', KEYS[4], ARGV[6], removed) end
return handled
