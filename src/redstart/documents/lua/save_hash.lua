-- Write the fields of a document that have a value, and take those away that have none, as one step.
--
-- KEYS: the hash
-- ARGV[1]  how many fields have a value
-- ARGV[2]  their names and values in turn, then the names of the fields to take away
--
-- HSET takes the expiry of a field away; a field that had one keeps it, to the millisecond. Other fields of the
-- hash stay as they are.
local key, count = KEYS[1], tonumber(ARGV[1])
local names = {}
for position = 1, count do
  names[position] = ARGV[2 * position]
end
local expiries = redis.pcall('HPEXPIRETIME', key, 'FIELDS', count, unpack(names))
redis.call('HSET', key, unpack(ARGV, 2, 2 * count + 1))
if #ARGV > 2 * count + 1 then
  redis.call('HDEL', key, unpack(ARGV, 2 * count + 2))
end
-- An error: this server has no expiring fields.
if expiries.err == nil then
  for position, expiry in ipairs(expiries) do
    if expiry > 0 then
      redis.call('HPEXPIREAT', key, expiry, 'FIELDS', 1, names[position])
    end
  end
end
return redis.status_reply('OK')
