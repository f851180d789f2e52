-- After document_state.lua: read whole documents of one type, in order, until their sum reaches the size of a page.
-- ARGV: bytes of a page, the type, and the key of each document.
-- Returns for the first documents, at least one: digest, name of an expiring field or '', and content (JSON text, or
-- alternating fields and values of a hash); nil for a key that does not exist or has another type.
local total, documents = 0, {}
for number = 3, #ARGV do
  local found = false
  if redis.call('TYPE', ARGV[number]).ok == ARGV[2] then
    local digest, content, expiring = digest_of(ARGV[number], ARGV[2])
    found = {digest, expiring, content}
    if type(content) == 'string' then
      total = total + #content
    else
      for _, text in ipairs(content) do total = total + #text end
    end
  end
  documents[#documents + 1] = found
  if total > tonumber(ARGV[1]) then break end
end
return documents
