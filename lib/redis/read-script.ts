import { COMMON, IDENTITY, script } from './script.js';

/**
 * Reads many rooms at one moment. The limits bound both what it looks at and what it returns. It
 * skips rooms without new events.
 *
 * KEYS: meta, rooms, a stream per room.
 *
 * ARGV: events, bytes, 1 for the newest events first, prefix of streams, 1 for a durable store,
 * then for each room its name and the position to begin after.
 *
 * Returns a list:
 * - the epoch, which is empty if no log exists, or if the server is not the one that acknowledged
 *   the events, so that some may be missing
 * - the last position of each room
 * - a list for each room with new events: its number, 1 if these are all its entries, then for each
 *   entry its position, the position before it, and its event
 *
 * The text of an event comes once, with its first entry. Its entries in other rooms have an empty
 * text.
 */
export const READ = script(`${COMMON}${IDENTITY}local meta, rooms = KEYS[1], KEYS[2]
local maxEvents, maxBytes, isNewest, wide = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1', ARGV[4] .. WIDE
local known = redis.call('HMGET', meta, 'epoch', 'last', 'forgotten', 'rooms', 'format', 'server')
if not known[1] then return { '', '' } end
checkFormat(known[5])
if identityOf(known[6], ARGV[5]) ~= known[6] then return { '', '' } end

local names = {}
for n = 6, #ARGV, 2 do names[#names + 1] = ARGV[n] end
local isKnown = redis.call('HGET', rooms, '') == known[4]
local states = isKnown and statesOf(rooms, names) or {}
local lasts, news = {}, {}
for n = 1, #names do
  local last, bytes = string.match(states[n] or '', '^(%d+) (%d+)$')
  lasts[n] = last or (isKnown and known[3] or known[2])
  local after = ARGV[5 + 2 * n]
  if last and tonumber(last) > tonumber(after) then
    news[#news + 1] = { n = n, stream = KEYS[2 + n], after = '(' .. after, to = '+', kept = tonumber(bytes), size = 0 }
  end
end

-- The text of each event that was looked at, by position.
local texts, looked, lookedBytes, steps = {}, 0, 0, 0
local maxSteps = 4 * maxEvents + 16 * #news

local function look(position, entry)
  local known = texts[position]
  if known then return known end
  local event = entry[4] or ''
  if entry[3] == 'w' then
    local found = redis.call('XRANGE', wide, position, position)[1]
    if not found then return nil end
    event = found[2][4]
  end
  texts[position] = event
  looked, lookedBytes = looked + 1, lookedBytes + #event
  return event
end

local function isSpent() return looked > 2 * maxEvents or lookedBytes > 2 * maxBytes or steps > maxSteps end

-- The number of entries to read: as many as the limits leave, judged by the room's average event.
local function countFor(room, slice)
  local count = math.min(slice, maxEvents + 1 - #room)
  if room.kept <= maxBytes then return count end
  local average = room.kept / math.max(1, redis.call('XLEN', room.stream))
  return math.max(1, math.min(count, math.floor((maxBytes - room.size) / average) + 1))
end

-- Returns whether the room may have more to read.
local function readOn(room, slice)
  local count = countFor(room, slice)
  local entries
  if isNewest then
    entries = redis.call('XREVRANGE', room.stream, room.to, room.after, 'COUNT', count)
  else
    entries = redis.call('XRANGE', room.stream, room.after, room.to, 'COUNT', count)
  end
  steps = steps + #entries
  for _, entry in ipairs(entries) do
    local id = string.match(entry[1], '^%d+')
    local event = look(id, entry[2])
    if isNewest then room.to = '(' .. entry[1] else room.after = '(' .. entry[1] end
    if event then
      room[#room + 1] = { id, entry[2][2] or '', event }
      room.size = room.size + #event
    elseif isNewest then
      -- Its text was removed, and so was everything before it.
      room.isWhole = true
      return false
    else
      for n = #room, 1, -1 do room[n] = nil end
      room.size = 0
    end
    if isSpent() then return false end
  end
  room.isWhole = #entries < count
  return not room.isWhole and #room <= maxEvents and room.size <= maxBytes
end

table.sort(news, function(a, b) return a.kept < b.kept end)
local open, slice = maxEvents > 0 and news or {}, 16
if isNewest and #news > 0 then slice = math.min(50, math.ceil(maxEvents / #news) + 1) end
while #open > 0 and not isSpent() and not (isNewest and looked >= maxEvents and slice > 50) do
  local unread = {}
  for _, room in ipairs(open) do
    if isSpent() then break end
    if readOn(room, slice) then unread[#unread + 1] = room end
  end
  open, slice = unread, 51
end

table.sort(news, function(a, b)
  if (a.isWhole or false) ~= (b.isWhole or false) then return a.isWhole or false end
  return #a < #b
end)
local reply, given, events, bytes = { known[1], table.concat(lasts, ' ') }, {}, 0, 0
for n, room in ipairs(news) do
  local shares = isNewest and #news - n + 1 or 1
  local mayEvents, mayBytes = math.ceil((maxEvents - events) / shares), (maxBytes - bytes) / shares
  local row, isWhole = { room.n, 1 }, room.isWhole
  for _, entry in ipairs(room) do
    local id, event = entry[1], entry[3]
    if given[id] then
      event = ''
    else
      if mayEvents < 1 or (#event > mayBytes and events > 0) then
        isWhole = false
        break
      end
      given[id] = true
      events, bytes, mayEvents, mayBytes = events + 1, bytes + #event, mayEvents - 1, mayBytes - #event
    end
    row[#row + 1] = id
    row[#row + 1] = entry[2]
    row[#row + 1] = event
  end
  if not isWhole then row[2] = 0 end
  reply[#reply + 1] = row
end
return reply
`);
