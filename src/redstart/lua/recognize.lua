-- Return what the planned values of documents are, where that is easy to tell; see recognition.py.
-- ARGV[1]  msgpack: {storage ('hash' or 'json'), paths, checks, microseconds, bytes}
--            paths   of a hash the name of a field each; of JSON a list of steps: a name, or true for each item of a list
--            checks  for each path a list of {kind, pattern, bounds, divisor, rest}: text that begins with this pattern,
--                    whose captures are within the bounds, and the rest of which has the other pattern; without a
--                    pattern, a JSON number within the bounds. A divisor other than 0 divides the number.
-- Other ARGV: keys.
-- Returns for each key: text with two bytes for each value, the number of its path and its kind; the values of a hash
-- that has others; 0 for a document that has to be read, and for a key of another type.
local request = cmsgpack.unpack(ARGV[1])
local storage, paths, checks, most_seconds, most_bytes = unpack(request)
most_seconds = most_seconds / 1000000
local began, bytes = os.clock(), 0
local null = 4
local longest_text, largest_document, most_values = 64, 20000, 100

local function is_within(number, check)
  local bounds = check[3][1]
  return number and number >= bounds[1] and number < bounds[2] and (check[4] == 0 or number % check[4] == 0)
end

local function are_within(check, first, ...)
  if not first then return false end
  if #check[3] == 1 then return is_within(tonumber(first), check) end
  local captures = {first, ...}
  for index, bounds in ipairs(check[3]) do
    local number = tonumber(captures[index])
    if number < bounds[1] or number >= bounds[2] then return false end
  end
  return true
end

local beginnings = {}

local function is_text_of(value, check)
  -- Beginnings occur many times: those of dates are days.
  local rest = check[5]
  if rest == '' then return are_within(check, string.match(value, check[2])) end
  local beginning = string.sub(value, 1, 10)
  local known = beginnings[beginning]
  if known == nil then
    known = are_within(check, string.match(beginning, check[2]))
    beginnings[beginning] = known
  end
  return known and string.find(value, rest, 11) ~= nil
end

local function kind_of(value, of_path)
  local is_text = type(value) == 'string'
  if is_text and #value > longest_text then return nil end
  if not is_text and type(value) ~= 'number' then return nil end
  for _, check in ipairs(of_path) do
    local pattern = check[2]
    if is_text and pattern ~= '' then
      if is_text_of(value, check) then return check[1] end
    elseif not is_text and pattern == '' and is_within(value, check) then
      return check[1]
    end
  end
  return nil
end

local function of_hash(key)
  local values = redis.pcall('HMGET', key, unpack(paths))
  if values.err then return 0 end
  local found, any, is_known = {}, false, true
  for index, value in ipairs(values) do
    if value then
      any = true
      local kind = is_known and kind_of(value, checks[index])
      if kind then found[#found + 1] = string.char(index, kind) else is_known = false end
    end
  end
  -- Without a value, the key may not exist.
  if is_known and any then return table.concat(found) end
  for _, value in ipairs(values) do bytes = bytes + (value and #value or 0) end
  return bytes > most_bytes and 0 or values
end

local function add_kinds(value, index, steps, at, found)
  -- Append the kinds of the values at a path. Return whether all are known.
  if value == nil then return true end
  local step = steps[at]
  if step == nil then
    local kind = value == cjson.null and null or kind_of(value, checks[index])
    if not kind then return false end
    found[#found + 1] = string.char(index, kind)
    return #found <= most_values
  end
  if value == cjson.null then return true end
  if type(value) ~= 'table' then return false end
  if step ~= true then
    -- A list, or an object without members: these two look alike.
    if value[1] ~= nil then return false end
    if next(value) == nil then return false end
    return add_kinds(value[step], index, steps, at + 1, found)
  end
  if value[1] == nil then return false end
  for _, item in ipairs(value) do
    if not add_kinds(item, index, steps, at + 1, found) then return false end
  end
  return true
end

local function of_json(key)
  local size = redis.pcall('JSON.DEBUG', 'MEMORY', key)
  if type(size) ~= 'number' or size > largest_document then return 0 end
  local text = redis.pcall('JSON.GET', key)
  if type(text) ~= 'string' then return 0 end
  local is_read, document = pcall(cjson.decode, text)
  if not is_read then return 0 end
  local found = {}
  for index, steps in ipairs(paths) do
    if not add_kinds(document, index, steps, 1, found) then return 0 end
  end
  return table.concat(found)
end

local replies = {}
for index = 2, #ARGV do
  if (index % 8 == 0 and os.clock() - began > most_seconds) or bytes > most_bytes then
    replies[index - 1] = 0
  elseif storage == 'hash' then
    replies[index - 1] = of_hash(ARGV[index])
  else
    replies[index - 1] = of_json(ARGV[index])
  end
end
return replies
