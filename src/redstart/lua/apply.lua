-- After fenced.lua, same_server.lua and compare.lua: change documents whose values still hold the bytes that were read.
--
-- KEYS: fence, lease, undo log, record, the name of a document while its lists are changed
-- ARGV[4]  msgpack: list of documents. Consecutive hashes that need only exact conversions of the same fields, as most
--          do, are one item for all of them: {keys, 'plain', names, old values, new values}, the values hash by hash.
--          A JSON document with the same is {key, 'texts', n, patch, has whole numbers, most digits, edits, n paths,
--          n texts}, see plain_json.py: the paths have these texts ('' for all of it); the patch changes them. It is not
--          read back, and left if one of its forms of numbers was not confirmed.
--          Any other: {key, storage, changes, patch, guards, counts, orders, entry, marks}
--            storage  'hash' or 'json'
--            changes  list of {place, old, new, writer, more}; place is a hash field or a JSON path; old and new are
--                     the exact bytes, false for "no value"; if they are equal, the value is compared and not written.
--                     writer: 'set' (JSON.SET on the path), 'patch' (it is in the patch), or for a hash the field
--                     whose expiry a new field inherits, or a list of fields, of whose expiries it inherits the first,
--                     else ''. more: of a hash the expiry of a restored field, in
--                     milliseconds, or 0; of JSON the path of the object that loses a member, or ''
--            patch    a JSON.MERGE document for the changes marked 'patch', or ''
--            guards   list of {JSON path, digest or false}: with a digest, it must match before;
--                     with false, the digest after the change is added to the undo log. Of a path with a slice the
--                     digest is that of its items and of the list's length
--            counts   {converted, lossy, edits}: the changes after the edits are those of values set aside, and values
--                     that are only compared
--            entry    {key of a set, integer as text} that records the document as processed, or {}
--            marks    list of {key of a set, integer as text} that are recorded with the changes
--            forms    of a JSON document, the forms of numbers that are confirmed if it holds what was sent, or nil
--            orders   list of {JSON path of an object, {{path, name as JSON} of each member}}: the order of the members
--                     to restore, if the object has these and no others; '' for a member that no path reads
-- ARGV[5]  the blob of the undo log for these documents, '' for no entry (in a rollback)
-- ARGV[6]  label of the undo log entry: "generation.pass"
-- ARGV[7]  '1' when hash fields can expire on this server
-- ARGV[8]  the milestone that the record must have, '' for none
-- ARGV[9]  the field of the record to which the number of values written is added, '' for none; their documents are
--          added to 'undone_documents'. Counted here, so that a lost reply changes nothing.
-- ARGV[10] run id of the server that these edits are valid for, or ''
--
-- ARGV[11] after how many microseconds no other document is begun
-- ARGV[12] from how many JSON.SET on a document is renamed for them at once, without a measurement
-- ARGV[13] '1' when documents that are recorded as processed are left unchanged
-- ARGV[14] the format of the blob
--
-- Returns {codes, read back, cpu microseconds, microseconds of indexing}: one letter per document (a applied,
-- c conflict, d processed before, f failed, g left because a form was not confirmed, l left for another script because
-- the time was over), and msgpack
-- {{document, change, text or false}...} of JSON values that differ from those sent. The last number is how much of
-- the time indexes took that would take as long for any number of changes.
local refusal = other_server(ARGV[10])
if refusal then return refusal end
if ARGV[8] ~= '' and redis.call('HGET', KEYS[4], 'milestone') ~= ARGV[8] then
  return redis.error_reply('BEHIND the server has lost what was written before')
end
local documents, rows = {}, {}
for _, item in ipairs(cmsgpack.unpack(ARGV[4])) do
  -- Each hash of a group has the group for its document, with its row in it.
  for row = 1, item[2] == 'plain' and #item[1] or 1 do
    documents[#documents + 1] = item
    rows[#documents] = row
  end
end
local journaled = ARGV[5] ~= ''
local began = os.clock()
local most_seconds, moved_from = ARGV[11] / 1000000, tonumber(ARGV[12])
local moved = KEYS[5]
local seconds_of_indexing = 0

local function any_field_expires()
  -- To check every hash takes as long as to write it; Valkey counts the keys that have such fields.
  local keyspace = ARGV[7] == '1' and redis.pcall('INFO', 'keyspace')
  if type(keyspace) ~= 'string' then return ARGV[7] == '1' end
  local counted = string.find(keyspace, 'keys_with_volatile_items=0', 1, true)
  return not counted or string.find(keyspace, 'keys_with_volatile_items=[1-9]') ~= nil
end
local fields_expire = any_field_expires()

local to_set = {}
local function write_plain(hashes, row)
  local key, names, new = hashes[1][row], hashes[3], hashes[5]
  local count, before = #names, (row - 1) * #names
  local times = fields_expire and redis.pcall('HPEXPIRETIME', key, 'FIELDS', count, unpack(names))
  for index = 1, count do
    to_set[2 * index - 1], to_set[2 * index] = names[index], new[before + index]
  end
  if failed(redis.pcall('HSET', key, unpack(to_set, 1, 2 * count))) then return false end
  if times and not failed(times) then
    for index = 1, count do
      local at = times[index]
      if at > 0 then redis.pcall('HPEXPIREAT', key, at, 'FIELDS', 1, names[index]) end
    end
  end
  return true
end

-- Whether whole numbers are printed as they were sent, and numbers with up to so many digits behind the point.
local confirmed_whole, confirmed_digits = false, 0

local function are_confirmed(has_whole, most_digits)
  return (confirmed_whole or not has_whole) and most_digits <= confirmed_digits
end

local function confirm(forms)
  confirmed_whole = confirmed_whole or forms[1]
  confirmed_digits = math.max(confirmed_digits, forms[2])
end

local function unchanged(document, row)
  if document[2] == 'plain' then return plain_is(document, row) end
  if document[2] == 'texts' then return texts_are(document) end
  local key, storage, changes, _, guards = unpack(document)
  if storage == 'hash' then return hash_is(key, changes) end
  return json_is(key, changes, 2) and guards_hold(key, guards)
end

local function can_come_back(key, changes)
  -- Removing the last field deletes the whole hash, with its expiry.
  local gone = 0
  for _, change in ipairs(changes) do
    if not change[3] and change[2] then
      gone = gone + 1
    elseif change[3] and not change[2] then
      return true
    end
  end
  return gone == 0 or redis.call('HLEN', key) > gone
end

local function write_hash(key, changes, removed)
  -- `removed` gets {number of the change from 0, expiry} of each removed field that expires.
  local places, pairs_to_set, to_delete = {}, {}, {}
  for index, change in ipairs(changes) do
    places[index] = change[1]
    if change[3] == change[2] then
      -- compared only
    elseif change[3] then
      pairs_to_set[#pairs_to_set + 1] = change[1]
      pairs_to_set[#pairs_to_set + 1] = change[3]
    else
      to_delete[#to_delete + 1] = change[1]
    end
  end
  local expiry = {}
  if fields_expire then
    local times = redis.pcall('HPEXPIRETIME', key, 'FIELDS', #places, unpack(places))
    if not failed(times) then
      for index, place in ipairs(places) do expiry[place] = times[index] end
    end
  end
  if not can_come_back(key, changes) then return false end
  if #pairs_to_set > 0 then
    local reply = redis.pcall('HSET', key, unpack(pairs_to_set))
    if failed(reply) then return false end
  end
  if #to_delete > 0 then redis.pcall('HDEL', key, unpack(to_delete)) end
  for index, change in ipairs(changes) do
    local at = expiry[change[1]]
    if change[3] and (at == nil or at == -2) then
      local origins = type(change[4]) == 'table' and change[4] or {change[4]}
      for _, origin in ipairs(origins) do
        local its = expiry[origin]
        if its and its > 0 and (at == nil or at < 0 or its < at) then at = its end
      end
      if change[5] and change[5] > 0 then at = change[5] end
    end
    if change[3] and change[3] ~= change[2] and at and at > 0 then
      redis.pcall('HPEXPIREAT', key, at, 'FIELDS', 1, change[1])
    end
    if not change[3] and change[4] == '' and at and at > 0 then removed[#removed + 1] = {index - 1, at} end
  end
  return true
end

local function can_move(key)
  -- Only where it is certain that the document can be moved back, too. (Before Redis 7 a script cannot find out.)
  if not redis.acl_check_cmd then return false end
  local _, away = pcall(redis.acl_check_cmd, 'RENAMENX', key, moved)
  local _, back = pcall(redis.acl_check_cmd, 'RENAMENX', moved, key)
  return away == true and back == true
end

local function move(key)
  -- With each JSON.SET, indexes read all values of a document again, unless its name has none of their prefixes.
  return can_move(key) and redis.pcall('RENAMENX', key, moved) == 1
end

local function move_back(key)
  local start = os.clock()
  local reply = redis.pcall('RENAMENX', moved, key)
  if reply ~= 1 then
    local cause = failed(reply) and reply.err or 'the key exists'
    error('The document ' .. key .. ' is stored under ' .. moved .. ' and could not be renamed back: ' .. cause)
  end
  seconds_of_indexing = seconds_of_indexing + os.clock() - start
end

local function set_one(key, change)
  if change[3] then
    -- nil: the path has no place in this document, for example because it is not an object.
    local reply = redis.pcall('JSON.SET', key, change[1], change[3])
    return reply and not failed(reply)
  end
  return not failed(redis.pcall('JSON.DEL', key, change[1]))
end

local function write_json(key, changes, patch, removed)
  -- `removed` gets {number of the change from 0, names of all members} of each removed member.
  local ok, sets = true, {}
  for index, change in ipairs(changes) do
    if not change[3] and change[2] and change[5] ~= '' then
      local names = redis.pcall('JSON.OBJKEYS', key, change[5])
      if not failed(names) and names[1] then removed[#removed + 1] = {index - 1, names[1]} end
    end
    if change[4] == 'set' and change[2] ~= change[3] then sets[#sets + 1] = change end
  end
  local start = os.clock()
  if patch ~= '' then ok = not failed(redis.pcall('JSON.MERGE', key, '$', patch)) end
  local is_moved = #sets >= moved_from and move(key)
  for index, change in ipairs(sets) do
    if not set_one(is_moved and moved or key, change) then ok = false end
    if index == 1 and not is_moved and #sets > 1 then
      -- The first in its place: for most documents all together take less time than this script may.
      is_moved = (os.clock() - start) * (#sets - 1) > most_seconds / 2 and move(key)
    end
  end
  if is_moved then move_back(key) end
  return ok
end

local function member_texts(text)
  -- Return the text of each member of an object, by that of its name; both as the server prints them.
  local found, depth, at, name, from = {}, 0, 1, nil, nil
  while true do
    local place, _, sign = string.find(text, '([%[%]{}":,])', at)
    if not place then return found end
    at = place + 1
    if sign == '"' then
      local escape
      repeat
        local last
        last, _, escape = string.find(text, '(["\\])', at)
        at = last + (escape == '"' and 1 or 2)
      until escape == '"'
      if depth == 1 and not from then name = string.sub(text, place, at - 1) end
    elseif sign == '{' or sign == '[' then
      depth = depth + 1
    elseif sign == ':' then
      if depth == 1 then from = at end
    else
      if depth == 1 and from then found[name], from = string.sub(text, from, place - 1), nil end
      if sign ~= ',' then depth = depth - 1 end
    end
  end
end

local function restore_order(key, object, members)
  -- A member that was removed comes back at another place: write the object again, with the members in their old order.
  local names = redis.pcall('JSON.OBJLEN', key, object)
  if failed(names) or names[1] ~= #members then return end
  local texts, of_members = {}, nil
  for index, member in ipairs(members) do
    local text
    if member[1] ~= '' then
      local reply = redis.pcall('JSON.GET', key, member[1])
      text = not failed(reply) and reply and reply ~= '[]' and string.sub(reply, 2, -2)
    else
      if not of_members then
        local reply = redis.pcall('JSON.GET', key, object)
        of_members = not failed(reply) and reply and member_texts(string.sub(reply, 2, -2)) or {}
      end
      text = of_members[member[2]]
    end
    if not text then return end
    texts[index] = member[2] .. ':' .. text
  end
  redis.pcall('JSON.SET', key, object, '{' .. table.concat(texts, ',') .. '}')
end

local function is_late(part)
  return os.clock() - began > most_seconds * part
end

local function result(codes, packed_read_back)
  local microseconds = math.floor((os.clock() - began) * 1000000)
  return {table.concat(codes), packed_read_back, microseconds, math.floor(seconds_of_indexing * 1000000)}
end

local function is_processed(document)
  if document[2] == 'plain' or document[2] == 'texts' or ARGV[13] ~= '1' then return false end
  local entry = document[8]
  return entry and entry[1] and redis.call('SISMEMBER', entry[1], entry[2]) == 1
end

-- How many members the sets of processed documents and of marks get, by the name of the set: see the record.
local added = {}
local function add(entry)
  local set = 'members:' .. string.match(entry[1], 'processed:([^:]+):%x+$')
  added[set] = (added[set] or 0) + redis.call('SADD', entry[1], entry[2])
end

-- To ask for the time takes as long as a part of such a document.
local is_short = {plain = true, texts = true}

local codes, applied, is_over = {}, 0, false
for index, document in ipairs(documents) do
  is_over = is_over or index > 1 and (not is_short[document[2]] or index % 8 == 0) and is_late(0.5)
  if is_over then
    codes[index] = 'l'
  elseif is_processed(document) then
    codes[index] = 'd'
  else
    codes[index] = unchanged(document, rows[index]) and 'a' or 'c'
    if codes[index] == 'a' then applied = applied + 1 end
  end
end
if applied == 0 then return result(codes, cmsgpack.pack({})) end

-- The undo log first: if it cannot be written (a key of another type), the script ends here, before any change.
local entries, last = 0, ''
if journaled then
  local which = applied == #documents and '' or table.concat(codes)
  last = redis.call('XADD', KEYS[3], '*', 'label', ARGV[6], 'format', ARGV[14], 'blob', ARGV[5], 'applied', which)
  entries = 1
end

local function rounded(text, sent)
  -- Whether the server stores another number than the one sent: far from 1970 that is another instant.
  local kept, wanted = tonumber(text or ''), tonumber(sent or '')
  return kept and wanted and kept ~= wanted
end

local read_back, digests, all_removed, counts, written, documents_written = {}, {}, {}, {0, 0}, 0, 0
local any_begun, is_cut_short = false, false
is_over = false
for index, document in ipairs(documents) do
  is_over = is_over or any_begun and (not is_short[document[2]] or index % 8 == 0) and is_late(1)
  if is_over and codes[index] == 'a' then codes[index], is_cut_short = 'l', true end
  any_begun = any_begun or codes[index] == 'a'
  if codes[index] == 'a' and document[2] == 'plain' then
    if write_plain(document, rows[index]) then
      counts[1] = counts[1] + #document[3]
      written, documents_written = written + #document[3], documents_written + 1
    else
      codes[index] = 'f'
    end
  elseif codes[index] == 'a' and document[2] == 'texts' then
    if not are_confirmed(document[5], document[6]) then
      codes[index], is_cut_short = 'g', true
    elseif failed(redis.pcall('JSON.MERGE', document[1], '$', document[4])) then
      codes[index] = 'f'
    else
      counts[1] = counts[1] + document[7]
      written, documents_written = written + document[7], documents_written + 1
    end
  elseif codes[index] == 'a' then
    local key, storage, changes, patch, guards, tally, orders, entry, marks, forms = unpack(document)
    local ok
    local exact, removed = tally[3], {}
    if storage == 'hash' then
      ok = write_hash(key, changes, removed)
    else
      ok = write_json(key, changes, patch, removed)
      if json_is(key, changes, 3) then
        if forms then confirm(forms) end
      else
        local texts = json_texts(key, changes) or {}
        for number, change in ipairs(changes) do
          if texts[number] ~= change[3] then
            read_back[#read_back + 1] = {index - 1, number - 1, texts[number] or false}
            if number <= tally[3] then exact = exact - 1 end
            if journaled and rounded(texts[number], change[3]) then counts[2] = counts[2] + 1 end
          end
        end
      end
      for number, guard in ipairs(guards) do
        if not guard[2] then digests[#digests + 1] = {index - 1, number - 1, digest(key, guard[1])} end
      end
      for _, order in ipairs(orders or {}) do restore_order(key, order[1], order[2]) end
    end
    for _, one in ipairs(removed) do all_removed[#all_removed + 1] = {index - 1, one[1], one[2]} end
    if ok and entry and entry[1] then add(entry) end
    if ok then for _, mark in ipairs(marks or {}) do add(mark) end end
    if ok then
      counts[1] = counts[1] + tally[1]
      counts[2] = counts[2] + tally[2]
      written, documents_written = written + exact, documents_written + 1
    else
      codes[index] = 'f'
    end
  end
end

-- Differences from the blob follow it directly; both are in one script, so no other entry can come between.
local packed_read_back = cmsgpack.pack(read_back)
if journaled then
  if #read_back > 0 or #digests > 0 or #all_removed > 0 or is_cut_short then
    local fields = {'read_back', packed_read_back, 'digests', cmsgpack.pack(digests)}
    if #all_removed > 0 then fields[5], fields[6] = 'removed', cmsgpack.pack(all_removed) end
    if is_cut_short then
      -- What the server refused after another write is in the log, as what it wrote has to be undone.
      fields[#fields + 1] = 'applied'
      fields[#fields + 1] = string.gsub(table.concat(codes), 'f', 'a')
    end
    last = redis.call('XADD', KEYS[3], '*', unpack(fields))
    entries = 2
  end
  redis.call('HINCRBY', KEYS[4], 'journal_entries', entries)
  redis.call('HSET', KEYS[4], 'journal_last', last)
end
if ARGV[9] ~= '' then
  redis.call('HINCRBY', KEYS[4], ARGV[9], written)
  redis.call('HINCRBY', KEYS[4], 'undone_documents', documents_written)
end
if counts[1] > 0 then redis.call('HINCRBY', KEYS[4], 'converted', counts[1]) end
for set, number in pairs(added) do redis.call('HINCRBY', KEYS[4], set, number) end
if counts[2] > 0 then redis.call('HINCRBY', KEYS[4], 'lossy', counts[2]) end
return result(codes, packed_read_back)
