/**
 * The part of the command that checks its fields and makes an event of them: the same text as
 * `encodeEvent()` makes of what `emit()` gets. `String.raw`, because Lua has escapes of its own.
 *
 * Uses `maxEventBytes`, `maxRoomsPerEvent`, `keepsHistory`, `identifies`, `maxEntries`,
 * `maxEntryBytes` and `keyLifetime`.
 */
export const FIELDS = String.raw`
local find, gsub, match = string.find, string.gsub, string.match

-- Both are much faster than to find a pattern: an event may be large, and Redis waits.
local function has(text, part) return find(text, part, 1, true) end
local function isAll(text, class) return match(text, '^' .. class .. '*()') > #text end

local function refuse(code, message) error({ refusal = code .. ' ' .. message }) end
local function invalid(field, remedy) refuse('SSE_INVALID_FIELD', field .. ': ' .. remedy) end

-- A reply with an error is one line.
local function shown(text) return '"' .. gsub(string.sub(text, 1, 60), '[^ -~]', '?') .. '"' end

-- What is valid can be replaced step by step, because no byte begins a sequence and continues
-- another.
local SEQUENCES = {
  '[\194-\223][\128-\191]', '\224[\160-\191][\128-\191]', '[\225-\236\238\239][\128-\191][\128-\191]',
  '\237[\128-\159][\128-\191]', '\240[\144-\191][\128-\191][\128-\191]',
  '[\241-\243][\128-\191][\128-\191][\128-\191]', '\244[\128-\143][\128-\191][\128-\191]',
}
local function isUtf8(text)
  if isAll(text, '[^\128-\255]') then return true end
  for _, sequence in ipairs(SEQUENCES) do text = gsub(text, sequence, ' ') end
  return not find(text, '[\128-\255]')
end

-- As JavaScript counts: in units of UTF-16.
local function lengthOf(text)
  local _, characters = gsub(text, '[^\128-\191]', '')
  local _, wide = gsub(text, '[\240-\244]', '')
  return characters + wide
end

local function checkText(field, text, max)
  if text == '' or lengthOf(text) > max then invalid(field, 'expected a text of 1 to ' .. max .. ' characters') end
end

local function checkLine(field, text)
  if find(text, '[%z\r\n]') then invalid(field, 'must not contain CR, LF or NUL; encode it, for example as base64url') end
end

-- As JSON.stringify() writes a text.
local ESCAPES = { ['"'] = '\\"', ['\\'] = '\\\\', ['\b'] = '\\b', ['\f'] = '\\f', ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t' }
local function escaped(character) return ESCAPES[character] or string.format('\\u%04x', string.byte(character)) end
local function jsonText(text) return '"' .. gsub(text, '[%z\1-\31"\\]', escaped) .. '"' end

local function hasAny(text, parts)
  for _, part in ipairs(parts) do
    if has(text, part) then return true end
  end
end

-- Numbers and words that cjson takes and JSON does not have: NaN, Infinity, 0x1, 1., -.5, +1, 01.
local function hasOddWord(bare)
  if hasAny(bare, { 'x', 'X', 'i', 'I', 'N', 'na', 'nA', '-.' }) then return true end
  if has(bare, '.') and (find(bare, '%.%D') or string.sub(bare, -1) == '.') then return true end
  if has(bare, '+') and find(bare, '%f[%w.+-]%+') then return true end
  local mayBegin = string.sub(bare, 1, 1) == '0' or hasAny(bare, { ',0', '[0', ':0', '-0', ' 0', '\n0', '\r0', '\t0' })
  return mayBegin and find(bare, '%f[%w.+-]%-?0%d')
end

-- Data is never decoded to be encoded again, which would change numbers and empty lists. cjson sees
-- it without its texts, in which it would take line breaks.
local function isJson(text)
  local bare = text
  if has(bare, '\\') then
    bare = gsub(gsub(gsub(bare, '\\\\', 'x'), '\\u%x%x%x%x', 'x'), '\\["/bfnrt]', 'x')
    if has(bare, '\\') then return false end
  end
  local quoted = bare
  bare = gsub(bare, '"[^"]*"', '""')
  if has(quoted, '\0') or not isAll(quoted, '[^\1-\31]') then
    local _, controls = gsub(quoted, '[%z\1-\31]', '')
    local _, outside = gsub(bare, '[%z\1-\31]', '')
    if outside ~= controls then return false end
  end
  return not hasOddWord(bare) and (pcall(cjson.decode, bare))
end

-- The text of an event. In one step, because each one copies the data.
local function eventText(header, before, text)
  if not text then return header .. before end
  if has(text, '\n') or has(text, '\r') then text = gsub(gsub(text, '\r\n?', '\n'), '\n', '\ndata: ') end
  return header .. before .. 'data: ' .. text .. '\n'
end

local KNOWN = {}
for _, field in ipairs({ 'room', 'user', 'type', 'data', 'text', 'key', 'retry', 'ephemeral', 'except', 'set', 'delete', 'ttlMs', 'ifAbsent', 'ifPosition' }) do KNOWN[field] = true end

local function flag(given, field)
  local value = given[field] or '0'
  if value ~= '0' and value ~= '1' then invalid(field, 'expected 1 or 0') end
  return value
end

local function integer(given, field, min, max)
  local value = given[field]
  if value and (not (value == '0' or find(value, '^[1-9]%d*$')) or tonumber(value) < min or tonumber(value) > max) then
    invalid(field, 'expected milliseconds, an integer of at least ' .. min .. ' and at most ' .. string.format('%.0f', max))
  end
  return value
end

local function json(given)
  -- Before it is read, which takes its time.
  if #given.data > maxEventBytes then return given.data end
  if not isJson(given.data) then invalid('data', 'expected a JSON text, nested at most 1000 times; for plain text use the field text') end
  return given.data
end

local function checked(event, header)
  local bytes = #event - #header
  if bytes > maxEventBytes then
    refuse('SSE_LIMIT', 'limits.maxEventBytes is ' .. maxEventBytes .. ': an event of ' .. bytes .. ' bytes was not published; send a link to the data instead')
  end
  return event
end

local function needsIdentify(field)
  if not identifies then invalid(field, 'needs to know whose a connection is; set identify in SseModule.forRoot()') end
end

local function roomOf(field, name)
  if field == 'user' then
    needsIdentify(field)
    checkText(field, name, 200)
    return 'sse:user:' .. name
  end
  checkText(field, name, 256)
  if string.sub(name, 1, 4) == 'sse:' then invalid(field, 'names that begin with "sse:" are reserved for the library; choose another') end
  return name
end

local function read(args)
  if #args % 2 == 1 then refuse('SSE_INVALID_FIELD', 'ARGV: expected pairs of a field and its value') end
  local given, rooms, seen = {}, {}, {}
  for n = 1, #args, 2 do
    local field, value = args[n], args[n + 1]
    if not KNOWN[field] then
      invalid(shown(field), field == 'event' and 'not a field of this command; name the event in type' or 'not a field of this command, or not of its version 1')
    end
    if not isUtf8(value) then invalid(field, 'expected UTF-8') end
    if field == 'room' or field == 'user' then
      local room = roomOf(field, value)
      if not seen[room] then rooms[#rooms + 1] = room end
      seen[room] = true
    else
      if given[field] then invalid(field, 'expected once; only room and user may be repeated') end
      given[field] = value
    end
  end
  if #rooms == 0 then invalid('room', 'expected at least one room') end
  if #rooms > maxRoomsPerEvent then
    refuse('SSE_LIMIT', 'limits.maxRoomsPerEvent is ' .. maxRoomsPerEvent .. ': an event for ' .. #rooms .. ' rooms was not published; publish it in parts, or to one room that all its readers join')
  end
  if given.key == '' then invalid('key', 'expected a non-empty text') end
  return given, rooms
end

local function headerOf(rooms, form, data, except)
  local names = {}
  for n, room in ipairs(rooms) do names[n] = jsonText(room) end
  local more = data and ',' .. data or ''
  if except then more = ',' .. (data or 'null') .. ',null,' .. jsonText(except) end
  return '[[' .. table.concat(names, ',') .. '],"' .. form .. '"' .. more .. ']\n'
end

-- The arguments of PUBLISH after those of APPEND.
local function eventOf(given, rooms)
  for _, field in ipairs({ 'ttlMs', 'ifAbsent', 'ifPosition' }) do
    if given[field] then invalid(field, 'only for the entry of a room; name it in set or delete') end
  end
  local type, text, form, embedded = given.type, given.text, 'none', nil
  local retry = integer(given, 'retry', 0, 9007199254740991)
  local ephemeral = flag(given, 'ephemeral')
  if given.except then
    needsIdentify('except')
    checkText('except', given.except, 200)
  end
  local before = ''
  if type then
    checkLine('type', type)
    if string.sub(type, 1, 4) == 'sse-' then invalid('type', 'names that begin with "sse-" are reserved for the library; choose another') end
    before = 'event: ' .. type .. '\n'
  end
  if retry then before = before .. 'retry: ' .. retry .. '\n' end
  if given.data then
    if text then invalid('text', 'either data or text') end
    form, text = 'json', json(given)
  elseif text or type then
    form, text = 'text', text or ''
    -- The wire text does not distinguish CR from LF.
    if has(text, '\r') then form, embedded = 'embedded', jsonText(text) end
  elseif not retry then
    invalid('data', 'expected at least one of data, text, type, retry')
  end
  local header = headerOf(rooms, form, embedded, given.except)
  local args = { checked(eventText(header, before, text), header), given.key and keyLifetime or '0', (keepsHistory and ephemeral == '0') and 'event' or 'ephemeral' }
  for n, room in ipairs(rooms) do args[3 + n] = room end
  return args
end

local function conditionOf(given)
  local position = given.ifPosition
  if flag(given, 'ifAbsent') == '1' then
    if position then invalid('ifPosition', 'an entry cannot be absent and have a position; set one of the two') end
    return 'absent'
  end
  if not position then return '' end
  local epoch, digits = match(position, '^1%.([%w_-]+)%.([%da-z]+)$')
  if not epoch or #epoch > 32 or #digits > 11 then invalid('ifPosition', 'expected a cursor that this command returned') end
  return epoch .. ' ' .. string.format('%.0f', tonumber(digits, 36))
end

local ENTRY_FIELDS = { set = { set = true, data = true, key = true, ttlMs = true, ifAbsent = true, ifPosition = true }, delete = { delete = true, key = true, ifPosition = true } }

-- The arguments of PUBLISH for a change after those of APPEND.
local function changeOf(given, rooms)
  local kind, room = given.set and 'set' or 'delete', rooms[1]
  local key = given[kind]
  for field in pairs(given) do
    if not ENTRY_FIELDS[kind][field] then invalid(field, 'not with the field ' .. kind .. '; remove one of the two') end
  end
  if #rooms > 1 or string.sub(room, 1, 4) == 'sse:' then invalid('room', 'expected one room, because an entry has one') end
  if not keepsHistory then refuse('SSE_OPTIONS', kind .. ' needs history; remove "history: false" from this hub') end
  checkText(kind, key, 512)
  checkLine(kind, key)
  local ttl = integer(given, 'ttlMs', 1, 2147483647)
  local header, start = headerOf(rooms, 'json'), '{"room":' .. jsonText(room) .. ',"key":' .. jsonText(key)
  local deletion = eventText(header, 'event: sse-delete\n', start .. '}')
  local event = deletion
  if kind == 'set' then
    if not given.data then invalid('data', 'expected the value of the entry, a JSON text') end
    event = eventText(header, 'event: sse-set\n', start .. ',"value":' .. json(given) .. '}')
  end
  return { checked(event, header), given.key and keyLifetime or '0', kind, room, key, conditionOf(given), maxEntries, maxEntryBytes, ttl or '', ttl and deletion or '' }
end
`;
