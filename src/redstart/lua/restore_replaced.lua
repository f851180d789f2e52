-- After fenced.lua and document_state.lua: restore documents that replace_documents.lua has replaced, the last one
-- first, if nothing has changed them since. Their expiry is that of the document that stands in their place.
-- KEYS[3] stream of originals, KEYS[4] hash, KEYS[5] a key that no other client sees.
-- ARGV[4] the most entries, ARGV[5] bytes after which the script ends, ARGV[6] the field of the hash that counts
-- restored documents, ARGV[7] the field that counts originals, ARGV[8] the id before which to begin: `+`, or `(` and the
-- last one.
-- Returns the id of the last entry read, or '' at the end of the stream; then the ids of the entries of documents that
-- have changed since, which stay.
local size, restored, handled, last, before = 0, 0, 0, '', ARGV[8]
local changed = {}
for _ = 1, tonumber(ARGV[4]) do
  if size > tonumber(ARGV[5]) then break end
  local entry = redis.call('XREVRANGE', KEYS[3], before, '-', 'COUNT', 1)[1]
  if not entry then
    last = ''
    break
  end
  last, before = entry[1], '(' .. entry[1]
  local stored = {}
  for at = 1, #entry[2], 2 do stored[entry[2][at]] = entry[2][at + 1] end
  size = size + #stored.dump
  local is_free = stored.new_key == stored.key or redis.call('EXISTS', stored.key) == 0
  local exists = redis.call('TYPE', stored.new_key).ok == stored.new_kind
  local is_same = exists and digest_of(stored.new_key, stored.new_kind) == stored.digest
  if is_free and is_same then
    redis.call('DEL', KEYS[5])
    redis.call('RESTORE', KEYS[5], 0, stored.dump)
    local expires = expires_ms(stored.new_key)
    redis.call('UNLINK', stored.new_key)
    redis.call('RENAME', KEYS[5], stored.key)
    if expires ~= '-1' then redis.call('PEXPIREAT', stored.key, expires) end
    restored = restored + 1
  end
  if exists and not (is_free and is_same) then
    changed[#changed + 1] = entry[1]
  else
    redis.call('XDEL', KEYS[3], entry[1])
    handled = handled + 1
  end
end
if handled > 0 then redis.call('HINCRBY', KEYS[4], ARGV[7], -handled) end
if restored > 0 then redis.call('HINCRBY', KEYS[4], ARGV[6], restored) end
return {last, unpack(changed)}
