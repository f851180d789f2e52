-- After fenced.lua: move documents to other keys, with their expiries. A key that exists is never overwritten.
-- KEYS[3]: hash. ARGV[4] the type of the documents, ARGV[5] the field of the hash that counts moved documents,
-- ARGV[6] msgpack list: an old key, its new key, the next old key, and so on.
-- Returns the numbers (from 1) of the documents whose new key exists. What is no longer there is passed over: it was
-- deleted, it has expired, or this script has moved it and its reply was lost.
local pairs_of_keys = cmsgpack.unpack(ARGV[6])
local moved, taken = 0, {}
for at = 1, #pairs_of_keys, 2 do
  if redis.call('TYPE', pairs_of_keys[at]).ok == ARGV[4] then
    if redis.call('RENAMENX', pairs_of_keys[at], pairs_of_keys[at + 1]) == 1 then
      moved = moved + 1
    else
      taken[#taken + 1] = (at + 1) / 2
    end
  end
end
if moved > 0 then redis.call('HINCRBY', KEYS[3], ARGV[5], moved) end
return taken
