import { FORMAT, OPEN, script } from './script.js';

/**
 * The keys of a hub in Redis, all in one slot:
 * - `meta`: a hash with the format, the epoch, the identity of the server that began the epoch, the
 *   position where it began, the last position, the highest last position of any removed room, the
 *   bytes of all events, and a token in the field `rooms`.
 * - `rooms`: a hash with the last position and the bytes of each room that has events. Its field
 *   with the empty name has the token of `meta`. If they differ, this hash expired or was evicted.
 * - `oldest`: a sorted set of the rooms, by the position of their oldest event.
 * - `room:<name>`: a stream with the events of a room. The id of an entry is its position. The
 *   field `p` is the position before it. The field `e` is the event. An entry with `w` instead has
 *   its event in the wide stream, where it is stored once for all of its rooms.
 * - `key:<key>`: a string, the reply to the publish with this key.
 */

/** An event that takes more than this over all its rooms is stored once, not once per room. */
const WIDE_BYTES = 65_536;

/**
 * KEYS: meta, rooms, oldest, key, a stream per room. ARGV: an epoch for a new log, 1 for a durable
 * store, the event, channel, the command to publish with, events per room, age in microseconds,
 * bytes, expiry in milliseconds, lifetime of the key (0: none), 1 for an ephemeral event, prefix of
 * streams, a name per room. Returns "<epoch> <position>", for an ephemeral event "<epoch> ".
 */
export const PUBLISH = script(`${OPEN}
local meta, rooms, oldest, key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local event, channel, publish = ARGV[3], ARGV[4], ARGV[5]
local maxEvents, maxAge, maxBytes = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local expiry, keyLifetime, prefix = ARGV[9], ARGV[10], ARGV[12]

if keyLifetime ~= '0' then
  local answered = redis.call('GET', key)
  if answered then return answered end
end

local known = open(meta, ARGV[1], ARGV[2])
local epoch, last, forgotten, total, token = known[1], tonumber(known[2]), tonumber(known[3]), tonumber(known[4]), known[5]

local function answer(position)
  local reply = epoch .. ' ' .. position
  if keyLifetime ~= '0' then redis.call('SET', key, reply, 'PX', keyLifetime) end
  return reply
end

if ARGV[11] == '1' then
  -- The key first: if there is no memory for it, nothing is published.
  local reply = answer('')
  redis.call(publish, channel, 'e${FORMAT} ' .. epoch .. '\\n' .. event)
  return reply
end

local now = clock()
local position = math.max(last + 1, now)
local here = text(position)
local names = {}
for n = 13, #ARGV do names[#names + 1] = ARGV[n] end

local states = {}
if redis.call('HGET', rooms, '') == token then
  states = statesOf(rooms, names)
else
  redis.call('DEL', rooms, oldest)
  token, forgotten, total = here, last, 0
  redis.call('HSET', rooms, '', token)
end

-- Removes up to limit entries from the beginning of a room, while goes(position) holds.
local function trim(room, limit, goes)
  local stream = prefix .. room
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

-- A stream's expiry is extended once per half of the maximum age, not with each event.
local half = maxAge / 2
local function add(room, stream, state, field, value)
  local lastOf, bytes = string.match(state or '', '^(%d+) (%d+)$')
  local previous = lastOf or text(forgotten)
  if not lastOf then
    -- Entries of an earlier epoch.
    redis.call('DEL', stream)
    additions[#additions + 1] = here
    additions[#additions + 1] = room
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

local field, value = 'e', event
if #names > 1 and #names * #event > ${WIDE_BYTES} then
  field, value = 'w', here
  add(WIDE, prefix .. WIDE, redis.call('HGET', rooms, WIDE), 'e', event)
end

local before, full = {}, {}
for n, room in ipairs(names) do
  local stream = KEYS[4 + n]
  before[n] = add(room, stream, states[n], field, value)
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

redis.call('PEXPIRE', rooms, expiry)
redis.call('PEXPIRE', oldest, expiry)
redis.call('HSET', meta, 'last', here, 'forgotten', text(forgotten), 'bytes', text(math.max(0, total)), 'rooms', token)
redis.call(publish, channel,
  'n${FORMAT} ' .. epoch .. ' ' .. here .. ' ' .. text(last) .. ' ' .. table.concat(before, ',') .. '\\n' .. event)
return answer(here)
`);

/**
 * KEYS: meta. ARGV: an epoch for a new log, 1 for a durable store. Returns { epoch, last position,
 * position where the epoch began }.
 */
export const HEAD = script(`${OPEN}
local known = open(KEYS[1], ARGV[1], ARGV[2])
return { known[1], known[2], known[6] }
`);

/** Publishes the head to all followers, like an event. Arguments as HEAD, then channel, command. */
export const PROBE = script(`${OPEN}
local known = open(KEYS[1], ARGV[1], ARGV[2])
redis.call(ARGV[4], ARGV[3], 'p${FORMAT} ' .. known[1] .. ' ' .. known[2])
return 1
`);

/**
 * Ends an epoch, if it has not ended, because the log lacks events that a process has seen.
 * Positions continue above those, and all followers get the new head. Arguments as PROBE, then the
 * epoch that ends and the highest position seen. Returns the same as HEAD.
 */
export const END = script(`${OPEN}
local meta = KEYS[1]
local known = open(meta, ARGV[1], ARGV[2])
if known[1] == ARGV[5] then
  local server = redis.call('HGET', meta, 'server') or ''
  known = begin(meta, ARGV[1], server, math.max(tonumber(known[2]), tonumber(ARGV[6])))
  redis.call(ARGV[4], ARGV[3], 'p${FORMAT} ' .. known[1] .. ' ' .. known[2])
end
return { known[1], known[2], known[6] }
`);
