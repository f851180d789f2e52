-- Put before the scripts that drop indexes: drop one, and leave its documents.
local function drop_index(name)
  -- Never with DD: that deletes the documents. So does FT.DROPINDEX alone, where the index was created with TEMPORARY.
  local dropped = redis.pcall('FT.DROPINDEX', name, '_FORCEKEEPDOCS')
  -- A server without this option fails; require_droppable has made sure that it has no temporary indexes.
  if dropped.err then dropped = redis.pcall('FT.DROPINDEX', name) end
  return dropped
end
