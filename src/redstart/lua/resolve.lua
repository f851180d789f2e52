-- Put before the scripts that change indexes: the index that a name refers to, as an alias or directly.
local function word(value)
  -- Inside a reply, names come as strings or as status replies, which Lua sees as tables.
  if type(value) == 'table' then return value.ok end
  return value
end

local function resolve(name)
  local info = redis.pcall('FT.INFO', name)
  if info.err then return false end
  for position = 1, #info, 2 do
    if word(info[position]) == 'index_name' then return word(info[position + 1]) end
  end
  return false
end
