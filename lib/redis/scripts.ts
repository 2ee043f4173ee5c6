import { createHash } from 'node:crypto';

/** A Lua script: sent by its hash, and once in full to a server that does not know it. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

const script = (lua: string): Script => ({
  lua,
  sha: createHash('sha1').update(lua).digest('hex'),
});

/**
 * What a hub has in Redis, all in one slot:
 * - `meta`: hash. The epoch, the last position, the highest last position of forgotten rooms, the bytes of all events, and
 *   `rooms`, which names the hash of that name that goes with it.
 * - `rooms`: hash. Of each room with events its last position and its bytes; under the empty name what `meta` calls it, so
 *   that a hash which expired or was evicted is not taken for one without rooms.
 * - `oldest`: sorted set. The rooms by the position of their oldest event.
 * - `room:<name>`: stream. The events; an entry's id is its position.
 * - `key:<key>`: text. What a publish with this key was answered.
 */
const OPEN = `
local function text(number) return string.format('%.0f', number) end

local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function open(meta, epoch)
  local known = redis.call('HMGET', meta, 'epoch', 'last', 'forgotten', 'bytes', 'rooms')
  if known[1] then return known end
  if redis.call('EXISTS', meta) == 1 then error(redis.error_reply('NOTOURS the key is of another program')) end
  local now = text(clock())
  redis.call('HSET', meta, 'format', '1', 'epoch', epoch, 'last', now, 'forgotten', now, 'bytes', '0', 'rooms', '')
  return { epoch, now, now, '0', '' }
end
`;

/**
 * KEYS: meta, rooms, oldest, key, a stream per room.
 * ARGV: an epoch for a new log, the event, channel, the command to publish with, events per room, age in microseconds, bytes,
 * expiry in milliseconds, lifetime of the key (0: none), 1 for an ephemeral event, prefix of streams, a name per room.
 * Answers "<epoch> <position>", of an ephemeral event "<epoch> ".
 */
export const PUBLISH = script(`${OPEN}
local meta, rooms, oldest, key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local event, channel, publish = ARGV[2], ARGV[3], ARGV[4]
local maxEvents, maxAge, maxBytes = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local expiry, keyLifetime, prefix = ARGV[8], ARGV[9], ARGV[11]

if keyLifetime ~= '0' then
  local answered = redis.call('GET', key)
  if answered then return answered end
end

local known = open(meta, ARGV[1])
local epoch, last, forgotten, total, token = known[1], tonumber(known[2]), tonumber(known[3]), tonumber(known[4]), known[5]

local function answer(position)
  local reply = epoch .. ' ' .. position
  if keyLifetime ~= '0' then redis.call('SET', key, reply, 'PX', keyLifetime) end
  return reply
end

if ARGV[10] == '1' then
  -- The key first: where there is no memory for it, nothing is sent.
  local reply = answer('')
  redis.call(publish, channel, 'e ' .. epoch .. '\\n' .. event)
  return reply
end

local now = clock()
local position = math.max(last + 1, now)
local names = {}
for n = 12, #ARGV do names[#names + 1] = ARGV[n] end

local states = redis.call('HMGET', rooms, '', unpack(names))
if states[1] ~= token then
  redis.call('DEL', rooms, oldest)
  token, forgotten, total, states = text(position), last, 0, {}
  redis.call('HSET', rooms, '', token)
end

-- Takes up to limit entries off the beginning of a room, while goes(position) holds.
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
    -- Also where the stream expired.
    total = total - bytes
    redis.call('DEL', stream)
    redis.call('ZREM', oldest, room)
    redis.call('HDEL', rooms, room)
    forgotten = math.max(forgotten, tonumber(lastOf))
  end
end

local function always() return true end

local before = {}
for n, room in ipairs(names) do
  local stream = KEYS[4 + n]
  local lastOf, bytes = string.match(states[n + 1] or '', '^(%d+) (%d+)$')
  before[n] = lastOf or text(forgotten)
  redis.call('XADD', stream, text(position) .. '-0', 'p', before[n], 'e', event)
  redis.call('PEXPIRE', stream, expiry)
  if not lastOf then redis.call('ZADD', oldest, text(position), room) end
  total = total + #event
  redis.call('HSET', rooms, room, text(position) .. ' ' .. text(tonumber(bytes or '0') + #event))
  local excess = redis.call('XLEN', stream) - maxEvents
  if excess > 0 then trim(room, excess, always) end
end

local tooOld = now - maxAge
local function goes(candidate) return candidate <= tooOld or total > maxBytes end
for _ = 1, 20 do
  local first = redis.call('ZRANGE', oldest, 0, 0, 'WITHSCORES')
  if not first[1] or not goes(tonumber(first[2])) then break end
  trim(first[1], 50, goes)
end

redis.call('PEXPIRE', rooms, expiry)
redis.call('PEXPIRE', oldest, expiry)
redis.call('HSET', meta, 'last', text(position), 'forgotten', text(forgotten), 'bytes', text(math.max(0, total)), 'rooms', token)
redis.call(publish, channel,
  'n ' .. epoch .. ' ' .. text(position) .. ' ' .. text(last) .. ' ' .. table.concat(before, ',') .. '\\n' .. event)
return answer(text(position))
`);

/** KEYS: meta. ARGV: an epoch for a new log. Answers { epoch, last position }. */
export const HEAD = script(`${OPEN}
local known = open(KEYS[1], ARGV[1])
return { known[1], known[2] }
`);

/** As a publish, but of nothing: everybody who follows hears where the log stands. Arguments as HEAD, channel, command. */
export const PROBE = script(`${OPEN}
local known = open(KEYS[1], ARGV[1])
redis.call(ARGV[3], ARGV[2], 'p ' .. known[1] .. ' ' .. known[2])
return 1
`);

/**
 * KEYS: meta, rooms, stream. ARGV: room, after, limit, 1 for the newest first.
 * Answers { epoch, last position, entries }, all of one moment; the epoch is empty where there is no log any more.
 */
export const READ = script(`
local known = redis.call('HMGET', KEYS[1], 'last', 'forgotten', 'rooms', 'epoch')
if not known[1] then return { '', '0', {} } end
local states = redis.call('HMGET', KEYS[2], '', ARGV[1])
local last = known[2]
if states[1] ~= known[3] then
  last = known[1]
elseif states[2] then
  last = string.match(states[2], '^%d+')
end
if ARGV[3] == '0' then return { known[4], last, {} } end
local from = '(' .. ARGV[2]
if ARGV[4] == '1' then
  return { known[4], last, redis.call('XREVRANGE', KEYS[3], '+', from, 'COUNT', ARGV[3]) }
end
return { known[4], last, redis.call('XRANGE', KEYS[3], from, '+', 'COUNT', ARGV[3]) }
`);
