-- Write the fields of a document that have a value, and take those away that have none, as one step.
--
-- KEYS: the hash
-- ARGV[1]  NX to write only if there is no such key, XX only if there is one, or nothing
-- ARGV[2]  how many fields have a value
-- ARGV[3]  how many of them expire after a time of their own
-- ARGV[4]  how many of them expire after a time that begins now
-- ARGV[5]  names and values in turn; names and lifetimes in milliseconds of those, then of these; the names to take away
--
-- HSET takes the expiry of a field away; a field that had one keeps it, to the millisecond, and its lifetime does not
-- begin anew unless that is said. Other fields of the hash stay as they are. Answers what HSET does, or nil where the
-- condition does not hold.
local key, condition, count = KEYS[1], ARGV[1], tonumber(ARGV[2])
local after_values = 5 + 2 * count
local after_lifetimes = after_values + 2 * tonumber(ARGV[3])
local after_all = after_lifetimes + 2 * tonumber(ARGV[4])

if condition ~= '' and (redis.call('EXISTS', key) == 1) ~= (condition == 'XX') then
  return false
end

local names, kept, begun = {}, {}, {}
for position = 1, count do
  names[position] = ARGV[3 + 2 * position]
end
for position = after_values, after_lifetimes - 1, 2 do
  kept[ARGV[position]] = ARGV[position + 1]
end
for position = after_lifetimes, after_all - 1, 2 do
  begun[ARGV[position]] = ARGV[position + 1]
end

local added, expiries = 0, {}
if count > 0 then
  expiries = redis.pcall('HPEXPIRETIME', key, 'FIELDS', count, unpack(names))
  if expiries.err and after_all > after_values then
    return redis.error_reply(expiries.err)
  end
  added = redis.call('HSET', key, unpack(ARGV, 5, after_values - 1))
end
if #ARGV >= after_all then
  redis.call('HDEL', key, unpack(ARGV, after_all))
end
if not expiries.err then
  for position, name in ipairs(names) do
    if begun[name] then
      redis.call('HPEXPIRE', key, begun[name], 'FIELDS', 1, name)
    elseif expiries[position] > 0 then
      redis.call('HPEXPIREAT', key, expiries[position], 'FIELDS', 1, name)
    elseif kept[name] then
      redis.call('HPEXPIRE', key, kept[name], 'FIELDS', 1, name)
    end
  end
end
return added
