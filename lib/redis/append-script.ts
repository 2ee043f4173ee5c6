import { FORMAT, OPEN } from './script.js';
import { CHANGES, RECORD } from './state-script.js';

/** An event that takes more than this over all its rooms is stored once, not once per room. */
const WIDE_BYTES = 65_536;

/** How many entries one script ends at most. */
const MAX_ENDS = 100;

/**
 * Appends events. Shared by the scripts that do.
 *
 * KEYS: meta, rooms, oldest. ARGV: an epoch for a new log, 1 for a durable store, channel, the
 * command to publish with, prefix of keys, events per room, age in microseconds, bytes, expiry in
 * milliseconds.
 */
export const APPEND = `${OPEN}${RECORD}
local meta, rooms, oldest = KEYS[1], KEYS[2], KEYS[3]
local channel, publish, hub = ARGV[3], ARGV[4], ARGV[5]
local maxEvents, maxAge, maxBytes, expiry = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local epoch, last, forgotten, total, token
-- The token of the entries, as in the record of each room that has had any; their number and bytes.
-- Without a token, there never were any.
local stateToken, entryCount, entryBytes

local function load()
  local known = open(meta, ARGV[1], ARGV[2])
  epoch, last, forgotten, total, token = known[1], tonumber(known[2]), tonumber(known[3]), tonumber(known[4]), known[5]
  if known[9] then stateToken, entryCount, entryBytes = string.match(known[9], '^(%d+) (%d+) (%d+)$') end
end

-- Removes up to limit entries from the beginning of a room, while goes(position) holds.
local function trim(room, limit, goes)
  local stream = hub .. 'room:' .. room
  local state = redis.call('HGET', rooms, room) or '0 0'
  local lastOf, bytes = string.match(state, '^(%d+) (%d+)$')
  bytes = tonumber(bytes)
  local entries = redis.call('XRANGE', stream, '-', '+', 'COUNT', limit + 1)
  local n = 1
  while n <= limit and entries[n] and goes(tonumber(string.match(entries[n][1], '^%d+'))) do
    local size = #entries[n][2][4]
    bytes, total, n = bytes - size, total - size, n + 1
  end
  if entries[n] then
    local first = entries[n][1]
    redis.call('XTRIM', stream, 'MINID', first)
    redis.call('ZADD', oldest, string.match(first, '^%d+'), room)
    redis.call('HSET', rooms, room, lastOf .. ' ' .. text(math.max(0, bytes)))
  else
    -- Includes a stream that expired.
    total = total - bytes
    redis.call('DEL', stream)
    redis.call('ZREM', oldest, room)
    redis.call('HDEL', rooms, room)
    if room ~= WIDE then forgotten = math.max(forgotten, tonumber(lastOf)) end
  end
end

local function always() return true end

-- Writes to the hash of rooms and to the set of the oldest in slices, as statesOf() reads them.
local changes, additions = {}, {}
local function writeChanges()
  if #changes > 0 then redis.call('HSET', rooms, unpack(changes)) end
  if #additions > 0 then redis.call('ZADD', oldest, unpack(additions)) end
  changes, additions = {}, {}
end

-- Expiries are extended once per half of the maximum age, not with each event.
local half, hasNewRoom = maxAge / 2, false
local function add(room, stream, position, here, state, field, value)
  local lastOf, bytes = string.match(state or '', '^(%d+) (%d+)$')
  local previous = lastOf or text(forgotten)
  if not lastOf then
    -- Entries of an earlier epoch.
    redis.call('DEL', stream)
    additions[#additions + 1] = here
    additions[#additions + 1] = room
    hasNewRoom = true
  end
  redis.call('XADD', stream, here .. '-0', 'p', previous, field, value)
  if not lastOf or math.floor(tonumber(lastOf) / half) ~= math.floor(position / half) then
    redis.call('PEXPIRE', stream, expiry)
  end
  total = total + #value
  changes[#changes + 1] = room
  changes[#changes + 1] = here .. ' ' .. text(tonumber(bytes or '0') + #value)
  if #changes >= 1000 then writeChanges() end
  return previous
end

-- An event that changes no entry was appended to a room.
local function addPlain(room, here)
  local entries = hub .. 'entries:' .. room
  local begin = parseRoom(redis.call('HGET', entries, ''), stateToken)
  if not begin then return end
  redis.call('HSET', entries, '', stateToken .. ' ' .. begin .. ' 1 ' .. here)
  -- Without entries, the record is kept as long as an event of the room may be.
  if redis.call('HLEN', entries) == 1 then redis.call('PEXPIRE', entries, expiry) end
end

-- Appends an event to rooms. For an event that changes an entry, change(position, has, last)
-- makes the change, and ttl is that of the entry. Returns the position as text.
local function append(event, names, now, change, ttl)
  local position, before = math.max(last + 1, now), text(last)
  local here = text(position)
  local states = {}
  if redis.call('HGET', rooms, '') == token then
    states = statesOf(rooms, names)
  else
    redis.call('DEL', rooms, oldest)
    token, forgotten, total = here, last, 0
    redis.call('HSET', rooms, '', token)
  end
  if change then
    local lastOf = string.match(states[1] or '', '^%d+')
    change(here, lastOf and '1' or '0', lastOf or text(forgotten))
  end

  local field, value = 'e', event
  if #names > 1 and #names * #event > ${WIDE_BYTES} then
    field, value = 'w', here
    add(WIDE, hub .. 'room:' .. WIDE, position, here, redis.call('HGET', rooms, WIDE), 'e', event)
  end

  local previous, full = {}, {}
  for n, room in ipairs(names) do
    local stream = hub .. 'room:' .. room
    previous[n] = add(room, stream, position, here, states[n], field, value)
    if states[n] then
      local excess = redis.call('XLEN', stream) - maxEvents
      if excess > 0 then full[room] = excess end
    end
  end
  writeChanges()
  for room, excess in pairs(full) do trim(room, excess, always) end

  local tooOld = now - maxAge
  local function goes(candidate) return candidate <= tooOld or total > maxBytes end
  for _ = 1, 20 do
    local first = redis.call('ZRANGE', oldest, 0, 0, 'WITHSCORES')
    if not first[1] or not goes(tonumber(first[2])) then break end
    trim(first[1], 50, goes)
  end

  if hasNewRoom or math.floor(last / half) ~= math.floor(position / half) then
    redis.call('PEXPIRE', rooms, expiry)
    redis.call('PEXPIRE', oldest, expiry)
  end
  last = position
  local forgottenText, bytes = text(forgotten), text(math.max(0, total))
  if change then
    redis.call('HSET', meta, 'last', here, 'forgotten', forgottenText, 'bytes', bytes, 'rooms', token, 'state', stateToken .. ' ' .. entryCount .. ' ' .. entryBytes)
  else
    redis.call('HSET', meta, 'last', here, 'forgotten', forgottenText, 'bytes', bytes, 'rooms', token)
  end
  local notice = 'n${FORMAT} ' .. epoch .. ' ' .. here .. ' ' .. before .. ' ' .. table.concat(previous, ',')
  if stateToken then
    if not change then
      for _, room in ipairs(names) do addPlain(room, here) end
    end
    notice = notice .. ' ' .. entryCount
    if ttl then notice = notice .. ' ' .. ttl end
  end
  redis.call(publish, channel, notice .. '\\n' .. event)
  return here
end
`;

/** Appends events that change entries, and ends entries that are due. Comes after `APPEND`. */
export const APPEND_CHANGES = `${CHANGES}
-- Ends the entry at a key, which is due.
local function endEntry(entry, ending, now)
  append(ending, { entry.room }, now, function(here) delete(entry, here) end)
end

-- Ends entries that are due.
local function endDue(now)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', hub .. 'ends', '-inf', text(now), 'LIMIT', 0, ${MAX_ENDS})) do
    local size, names = string.match(member, '^(%d+) (.*)$')
    local entry = lookUp(string.sub(names, 1, tonumber(size)), string.sub(names, tonumber(size) + 1))
    local ending = redis.call('HGET', hub .. 'endings', member)
    if ending and isDue(entry, now) then
      endEntry(entry, ending, now)
    else
      -- Left over by a log that no longer exists.
      redis.call('ZREM', hub .. 'ends', member)
      redis.call('HDEL', hub .. 'endings', member)
    end
  end
end
`;
