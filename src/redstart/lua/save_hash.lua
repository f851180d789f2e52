-- Write the fields of a document that have a value, and delete those that have none, as one step.
--
-- KEYS: the hash
-- ARGV[1]  NX to write only if there is no such key, XX only if there is one, or nothing
-- ARGV[2]  how many fields have a value
-- ARGV[3]  how many of them expire after a time of their own, unless they do already
-- ARGV[4]  how many of them expire after a time that starts now
-- ARGV[5]  alternating names and values; names and lifetimes in milliseconds of the former, then of the latter; names
--          to delete
--
-- HSET removes the expiry of a field; a field that had one keeps it, to the millisecond, and its lifetime starts again
-- only if requested. Other fields of the hash are not changed. Returns 1, or nil if the condition is not met.
local key, condition, count = KEYS[1], ARGV[1], tonumber(ARGV[2])
local after_values = 5 + 2 * count
local after_kept = after_values + 2 * tonumber(ARGV[3])
local after_lifetimes = after_kept + 2 * tonumber(ARGV[4])

if condition ~= '' and (redis.call('EXISTS', key) == 1) ~= (condition == 'XX') then
  return false
end

-- Lua passes at most about 8,000 arguments to a command: more fields are written with several.
local FIELDS_AT_ONCE = 1000

-- As HSETEX with KEEPTTL: Redis 7.4 has fields that expire, but not that command.
local function set_and_keep_expiries(first, last)
  local names = {}
  for position = first, last, 2 do
    names[#names + 1] = ARGV[position]
  end
  local expiries = redis.pcall('HPEXPIRETIME', key, 'FIELDS', #names, unpack(names))
  if expiries.err and after_lifetimes > after_values then
    return redis.error_reply(expiries.err)
  end
  local set = redis.pcall('HSET', key, unpack(ARGV, first, last))
  if not expiries.err and type(set) == 'number' then
    for position, name in ipairs(names) do
      if expiries[position] > 0 then
        redis.call('HPEXPIREAT', key, expiries[position], 'FIELDS', 1, name)
      end
    end
  end
  return set
end

-- What fails does so with the first fields, before anything is written: a key of another type, a missing command.
for first = 5, after_values - 1, 2 * FIELDS_AT_ONCE do
  local last = math.min(first + 2 * FIELDS_AT_ONCE, after_values) - 1
  local fields = (last - first + 1) / 2
  local set = redis.pcall('HSETEX', key, 'KEEPTTL', 'FIELDS', fields, unpack(ARGV, first, last))
  if type(set) ~= 'number' then
    set = set_and_keep_expiries(first, last)
    if type(set) ~= 'number' then
      return set
    end
  end
end
for position = after_values, after_kept - 1, 2 do
  redis.call('HPEXPIRE', key, ARGV[position + 1], 'NX', 'FIELDS', 1, ARGV[position])
end
for position = after_kept, after_lifetimes - 1, 2 do
  redis.call('HPEXPIRE', key, ARGV[position + 1], 'FIELDS', 1, ARGV[position])
end
for first = after_lifetimes, #ARGV, FIELDS_AT_ONCE do
  redis.call('HDEL', key, unpack(ARGV, first, math.min(first + FIELDS_AT_ONCE - 1, #ARGV)))
end
return 1
