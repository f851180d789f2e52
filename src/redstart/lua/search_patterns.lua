-- A search with parts of tags or words in its query, of which the server expands a limited number. The answer is whole:
-- where the server would cut an expansion, all tags of the field are listed, and those that match are written out.
--
-- ARGV[1]: msgpack of
--   command, index, rest, parameters: the words of the search; without a command nothing is searched
--   texts, patterns: the query in pieces, with a pattern {attribute, where, part, text, term} between each two of them
--   words: words of which some are given in part, {term, text, shortest}, for which nothing can be written out
-- Replies like the search; CUT with the number of the pattern, or of the words (from 1) if it cannot be answered whole.

local asked = cmsgpack.unpack(ARGV[1])
local NO_TAG = 'redstart\\ finds\\ no\\ such\\ tag'
local DEFAULT_SHORTEST = 2
local MAX_ARGUMENTS = 7000 -- Lua passes no more than 8,000

local function setting(name)
    local reply = redis.pcall('FT.CONFIG', 'GET', name)
    if reply.err or not reply[1] then
        return nil -- unknown here, or not permitted
    end
    return tonumber(reply[1][2])
end

local shortest, most = setting('MINPREFIX'), setting('MAXPREFIXEXPANSIONS')

local function contains(reply, text)
    for _, item in ipairs(reply) do
        if type(item) == 'table' and item.ok then
            item = item.ok
        end
        if type(item) == 'table' and contains(item, text) then
            return true
        elseif type(item) == 'string' and string.find(item, text, 1, true) then
            return true
        end
    end
    return false
end

local function with_parameters(arguments, extra)
    local parameters = asked.parameters
    if #parameters + #extra > 0 then
        arguments[#arguments + 1] = 'PARAMS'
        arguments[#arguments + 1] = #parameters + #extra
        for _, list in ipairs({parameters, extra}) do
            for _, word in ipairs(list) do
                arguments[#arguments + 1] = word
            end
        end
    end
    for _, word in ipairs({'DIALECT', 2, 'TIMEOUT', 0}) do
        arguments[#arguments + 1] = word
    end
    return arguments
end

-- Nothing is read from the index: expansions are made before that, and only they are of interest.
local function profile(text, term)
    local query = '(' .. text .. ') (' .. term .. ':{' .. NO_TAG .. '})'
    local arguments = {'FT.PROFILE', asked.index, 'SEARCH', 'LIMITED', 'QUERY', query, 'LIMIT', 0, 0}
    local reply = redis.pcall(unpack(with_parameters(arguments, {})))
    return not reply.err and reply or nil
end

local function is_whole(pattern)
    if shortest and #pattern[3] < shortest then
        return false
    end
    local reply = profile(pattern[4], pattern[5])
    if not reply or contains(reply, 'refix expansion') then
        return false
    end
    -- A single tag makes no union, whether it is all or the limit; neither does a part that is too short.
    return (shortest and most and most > 1) or contains(reply, 'UNION')
end

local function are_whole(words)
    if words[3] > 0 and words[3] < (shortest or DEFAULT_SHORTEST) then
        return false
    end
    local reply = profile(words[2], words[1])
    return reply and not contains(reply, 'refix expansion') and most ~= 1
end

local extra = {}

local function written(tag)
    if string.find(tag, '[\1-\8\14-\31\127]') then
        local name = 'listed' .. #extra
        extra[#extra + 1] = name
        extra[#extra + 1] = string.gsub(tag, '\\', '\\\\')
        return '$' .. name
    end
    return (string.gsub(tag, '[%p%s]', '\\%0'))
end

local function matches(tag, where, part)
    if where == 'start' then
        return string.sub(tag, 1, #part) == part
    elseif where == 'end' then
        return #tag >= #part and string.sub(tag, -#part) == part
    end
    return string.find(tag, part, 1, true) ~= nil
end

local function listed(pattern)
    local tags = redis.pcall('FT.TAGVALS', asked.index, pattern[1])
    if tags.err then
        return nil, tags
    end
    local found = {}
    for _, tag in ipairs(tags) do
        if matches(tag, pattern[2], pattern[3]) then
            found[#found + 1] = written(tag)
        end
    end
    if #found == 0 then
        found[1] = NO_TAG
    end
    return pattern[5] .. ':{' .. table.concat(found, '|') .. '}'
end

for position, words in ipairs(asked.words) do
    if not are_whole(words) then
        return redis.error_reply('CUT words ' .. position)
    end
end
local text = asked.texts[1]
for position, pattern in ipairs(asked.patterns) do
    local part = pattern[4]
    if not is_whole(pattern) then
        if not asked.command then
            return redis.error_reply('CUT pattern ' .. position)
        end
        local failure
        part, failure = listed(pattern)
        if not part then
            return failure
        end
    end
    text = text .. part .. asked.texts[position + 1]
end
if not asked.command then
    return redis.status_reply('OK')
end
local arguments = {asked.command, asked.index, text}
for _, word in ipairs(asked.rest) do
    arguments[#arguments + 1] = word
end
if #extra + #asked.parameters > MAX_ARGUMENTS then
    return redis.error_reply('CUT pattern 1')
end
return redis.pcall(unpack(with_parameters(arguments, extra)))
