-- After fenced.lua and document_state.lua: replace documents that are unchanged by documents of another type, each in
-- one step, with the expiry of the key. A new key that exists is never overwritten.
-- KEYS[3] stream of originals, KEYS[4] hash, KEYS[5] a key that no other client sees.
-- ARGV[4] the old type, ARGV[5] the new type, ARGV[6] the field of the hash that counts replaced documents, ARGV[7] the
-- field that counts originals, or '' if none are kept, ARGV[8] msgpack list: an old key, its new key, the digest, the
-- new content, the next old key, and so on.
-- Returns three lists of numbers (from 1): documents that changed since they were read; those whose new key exists;
-- and those that the server rejects, each followed by its error. What is no longer there is passed over: it was
-- deleted, it has expired, or this script has replaced it and its reply was lost.
local old_kind, new_kind = ARGV[4], ARGV[5]

local function write(content)
  redis.call('DEL', KEYS[5])
  if new_kind ~= 'hash' then return redis.pcall('JSON.SET', KEYS[5], '$', content) end
  for start = 1, #content, 2000 do
    redis.call('HSET', KEYS[5], unpack(content, start, math.min(start + 1999, #content)))
  end
  return {}
end

local documents = cmsgpack.unpack(ARGV[8])
local replaced, changed, taken, rejected = 0, {}, {}, {}
for at = 1, #documents, 4 do
  local key, new_key, number = documents[at], documents[at + 1], (at + 3) / 4
  if redis.call('TYPE', key).ok == old_kind then
    if digest_of(key, old_kind) ~= documents[at + 2] then
      changed[#changed + 1] = number
    elseif new_key ~= key and redis.call('EXISTS', new_key) == 1 then
      taken[#taken + 1] = number
    else
      local reply = write(documents[at + 3])
      if reply.err then
        rejected[#rejected + 1] = number
        rejected[#rejected + 1] = reply.err
      else
        local expires = expires_ms(key)
        if ARGV[7] ~= '' then
          redis.call('XADD', KEYS[3], '*', 'key', key, 'kind', old_kind, 'new_key', new_key, 'new_kind', new_kind,
            'digest', (digest_of(KEYS[5], new_kind)), 'dump', redis.call('DUMP', key))
        end
        -- Not only RENAME: an index of the old type would keep the document.
        redis.call('UNLINK', key)
        redis.call('RENAME', KEYS[5], new_key)
        if expires ~= '-1' then redis.call('PEXPIREAT', new_key, expires) end
        replaced = replaced + 1
      end
    end
  end
end
if replaced > 0 then
  redis.call('HINCRBY', KEYS[4], ARGV[6], replaced)
  if ARGV[7] ~= '' then redis.call('HINCRBY', KEYS[4], ARGV[7], replaced) end
end
return {changed, taken, rejected}
