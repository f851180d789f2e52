-- After fenced.lua and document_state.lua: read documents that replace_documents.lua has replaced and that have changed
-- since, each next to its original, until their sum reaches the size of a page.
-- KEYS[3] stream of originals, KEYS[4] a key that no other client sees.
-- ARGV[4] bytes of a page, ARGV[5] '1' to read originals only, then the ids of entries of the stream.
-- Returns for the first entries, at least one: {the old key, the new key, the digest of the document, the name of a
-- field that expires or '', its content, the content of the original}; nil for a document that does not exist any more.
-- One of the contents is '': the original if both together are larger than a page, or that of the document if only
-- originals are read.
local function bytes_of(content)
  if type(content) == 'string' then return #content end
  local bytes = 0
  for _, text in ipairs(content) do bytes = bytes + #text end
  return bytes
end

local limit, total, documents = tonumber(ARGV[4]), 0, {}
for number = 6, #ARGV do
  local entry, found = redis.call('XRANGE', KEYS[3], ARGV[number], ARGV[number])[1], false
  local stored = {}
  for at = 1, entry and #entry[2] or 0, 2 do stored[entry[2][at]] = entry[2][at + 1] end
  if entry and redis.call('TYPE', stored.new_key).ok == stored.new_kind then
    local digest, content, expiring = digest_of(stored.new_key, stored.new_kind)
    redis.call('DEL', KEYS[4])
    redis.call('RESTORE', KEYS[4], 0, stored.dump)
    local _, original = digest_of(KEYS[4], stored.kind)
    redis.call('DEL', KEYS[4])
    if ARGV[5] == '1' then
      content = ''
    elseif bytes_of(content) + bytes_of(original) > limit then
      original = ''
    end
    found = {stored.key, stored.new_key, digest, expiring, content, original}
    total = total + bytes_of(content) + bytes_of(original)
  end
  documents[#documents + 1] = found
  if total > limit then break end
end
return documents
