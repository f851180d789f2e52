-- Write the fields of a document that have a value, and take those away that have none, as one step.
--
-- KEYS: the hash
-- ARGV[1]  how many fields have a value
-- ARGV[2]  how many of them expire after a time of their own
-- ARGV[3]  names and values in turn; then names and lifetimes in milliseconds; then the names to take away
--
-- HSET takes the expiry of a field away; a field that had one keeps it, to the millisecond, and its lifetime does not
-- begin anew. Other fields of the hash stay as they are.
local key, count, expiring = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local after_values = 3 + 2 * count
local after_lifetimes = after_values + 2 * expiring

local names, lifetimes = {}, {}
for position = 1, count do
  names[position] = ARGV[1 + 2 * position]
end
for position = after_values, after_lifetimes - 1, 2 do
  lifetimes[ARGV[position]] = ARGV[position + 1]
end

local expiries = redis.pcall('HPEXPIRETIME', key, 'FIELDS', count, unpack(names))
local cannot_expire = expiries.err ~= nil
if cannot_expire and expiring > 0 then
  return redis.error_reply(expiries.err)
end
redis.call('HSET', key, unpack(ARGV, 3, after_values - 1))
if #ARGV >= after_lifetimes then
  redis.call('HDEL', key, unpack(ARGV, after_lifetimes))
end
if not cannot_expire then
  for position, name in ipairs(names) do
    if expiries[position] > 0 then
      redis.call('HPEXPIREAT', key, expiries[position], 'FIELDS', 1, name)
    elseif lifetimes[name] then
      redis.call('HPEXPIRE', key, lifetimes[name], 'FIELDS', 1, name)
    end
  end
end
return redis.status_reply('OK')
