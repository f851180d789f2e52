-- Functions for apply.lua: whether a document on the server still holds the texts that were read.

local function failed(reply)
  return type(reply) == 'table' and reply.err ~= nil
end

local function json_texts(key, changes)
  -- Return the value at each path as the server prints it, false if there is none; nil if the key is not JSON.
  local texts = {}
  for index, change in ipairs(changes) do
    local reply = redis.pcall('JSON.GET', key, change[1])
    if failed(reply) or not reply then return nil end
    texts[index] = reply ~= '[]' and string.sub(reply, 2, -2)
  end
  return texts
end

local function run_from(changes, first, which)
  -- Return the end of a run of changes at one place in consecutive items of a list, up or down; a path that reads just
  -- these values, and the reply if each of them is as it should be. nil for a change that is in no run.
  -- (Such a path reads at most one value of an item: so if the reply has as many values as the run, it has all.)
  local text = changes[first][which]
  local before, at, after = string.match(changes[first][1], '^([^\'"]-)%[(%d+)%]([^%[%]\'"]*)$')
  if not before or not text then return nil end
  local function is_at(index, position)
    local change = changes[index]
    return change and change[which] and change[1] == before .. '[' .. position .. ']' .. after
  end
  local step = is_at(first + 1, at + 1) and 1 or -1
  local texts, last = {text}, first
  while is_at(last + 1, at + step * (last + 1 - first)) do
    last = last + 1
    texts[#texts + 1] = changes[last][which]
  end
  if last == first then return nil end
  if step < 0 then
    for low = 1, math.floor(#texts / 2) do
      texts[low], texts[#texts + 1 - low] = texts[#texts + 1 - low], texts[low]
    end
  end
  local lowest = step > 0 and at or at - (last - first)
  local path = before .. '[' .. lowest .. ':' .. (lowest + last - first + 1) .. ']' .. after
  return last, path, '[' .. table.concat(texts, ',') .. ']'
end

local function json_is(key, all_changes, which)
  -- Return whether all paths hold exactly these texts.
  local changes, number = {}, 1
  while number <= #all_changes do
    local last, path, wanted = run_from(all_changes, number, which)
    if last then
      if redis.pcall('JSON.GET', key, path) ~= wanted then return false end
      number = last
    else
      changes[#changes + 1] = all_changes[number]
    end
    number = number + 1
  end
  -- The reply for several paths is one object with its keys in any
  -- order: if it has every "path":[text] and its length leaves no room for anything else, these are all.
  if #changes > 1 then
    local paths, wanted, length = {}, {}, 1
    for index, change in ipairs(changes) do
      local text = change[which] or ''
      -- A value that has such a path as one of its keys could hide that another one was changed.
      if string.find(change[1], '[%c"\\]') or string.find(text, '"$', 1, true) then wanted = nil break end
      paths[index] = change[1]
      wanted[index] = '"' .. change[1] .. '":[' .. text .. ']'
      length = length + #wanted[index] + 1
    end
    if wanted then
      local reply = redis.pcall('JSON.GET', key, unpack(paths))
      if failed(reply) or not reply or #reply ~= length then return false end
      for _, part in ipairs(wanted) do
        if not string.find(reply, part, 1, true) then return false end
      end
      return true
    end
  end
  local texts = json_texts(key, changes)
  if not texts then return false end
  for index, change in ipairs(changes) do
    if texts[index] ~= change[which] then return false end
  end
  return true
end

local function digest(key, path)
  local reply = redis.pcall('JSON.GET', key, path)
  if failed(reply) or not reply then return '' end
  -- Some items of a list are what they were also after an insertion among equal ones: its length tells.
  local list = string.match(path, '^([^\'"]-)%[%d+:%d+%]')
  if list then
    local lengths = redis.pcall('JSON.ARRLEN', key, list)
    reply = reply .. tostring(not failed(lengths) and lengths and lengths[1] or '')
  end
  return string.sub(redis.sha1hex(reply), 1, 16)
end

local function guards_hold(key, guards)
  for _, guard in ipairs(guards) do
    -- Format 1 of the undo log has longer ones.
    if guard[2] and digest(key, guard[1]) ~= string.sub(guard[2], 1, 16) then return false end
  end
  return true
end

local function hash_is(key, changes)
  local places, any_old = {}, false
  for index, change in ipairs(changes) do
    places[index] = change[1]
    any_old = any_old or change[2]
  end
  -- A deleted document has no values, either, and must not be created again.
  if not any_old and redis.pcall('HLEN', key) == 0 then return false end
  local values = redis.pcall('HMGET', key, unpack(places))
  if failed(values) then return false end
  for index, change in ipairs(changes) do
    if values[index] ~= change[2] then return false end
  end
  return true
end

local function plain_is(hashes, row)
  local names, old = hashes[3], hashes[4]
  local values = redis.pcall('HMGET', hashes[1][row], unpack(names))
  if failed(values) then return false end
  local before = (row - 1) * #names
  for index = 1, #names do
    if values[index] ~= old[before + index] then return false end
  end
  return true
end

local function texts_are(document)
  local key, count = document[1], document[3]
  if document[8] == '' then return redis.pcall('JSON.GET', key) == document[9] end
  local reply = redis.pcall('JSON.GET', key, unpack(document, 8, 7 + count))
  if failed(reply) or not reply then return false end
  if count == 1 then return reply == '[' .. document[9] .. ']' end
  -- As in json_is. No text has such a path as one of its keys.
  local length = 1
  for index = 8, 7 + count do
    local part = '"' .. document[index] .. '":[' .. document[index + count] .. ']'
    if not string.find(reply, part, 1, true) then return false end
    length = length + #part + 1
  end
  return #reply == length
end
