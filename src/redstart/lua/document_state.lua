-- Put before scripts that replace whole documents: the expiry of a key, and a digest of a document.
local function expires_ms(key)
  local at = redis.pcall('PEXPIRETIME', key)
  if type(at) == 'number' then return string.format('%.0f', at) end
  -- Before Redis 7.
  local left, time = redis.call('PTTL', key), redis.call('TIME')
  if left < 0 then return '-1' end
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + left)
end

-- Returns the digest of a document, whatever the order of its fields; its content; and the name of a field that
-- expires, or ''. The name of each field is in the digest with its length, so that no two contents look the same.
local function digest_of(key, kind)
  if kind ~= 'hash' then
    local text = redis.call('JSON.GET', key)
    return redis.sha1hex(text), text, ''
  end
  local content, parts, expiring = redis.call('HGETALL', key), {}, ''
  for start = 1, #content, 2000 do
    local names = {}
    for at = start, math.min(start + 1998, #content), 2 do names[#names + 1] = content[at] end
    -- Servers without expiring fields do not know the command.
    local expiries = redis.pcall('HPEXPIRETIME', key, 'FIELDS', #names, unpack(names))
    for number, name in ipairs(names) do
      local expiry = expiries[number] or -1
      if expiry > 0 then expiring = name end
      local value = content[start + 2 * number - 1]
      parts[#parts + 1] = redis.sha1hex(#name .. ':' .. name .. value .. ':' .. string.format('%.0f', expiry))
    end
  end
  table.sort(parts)
  return redis.sha1hex(table.concat(parts)), content, expiring
end
