import { COMMON, script } from './script.js';
import { ENTRY_VALUE, RECORD } from './state-script.js';

/** Reads the log and the record of a room. Returns nothing if the room has none. */
const OPEN_ROOM = `${COMMON}${RECORD}
local meta, entries = KEYS[1], KEYS[2]
local known = redis.call('HMGET', meta, 'epoch', 'last', 'format', 'state')
if not known[1] then return false end
checkFormat(known[3])
local token = string.match(known[4] or '', '^%d+')
local begin, has, plain = parseRoom(redis.call('HGET', entries, ''), token)
if not begin then return false end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
`;

/**
 * Reads one entry, unless its end is due. KEYS: meta, the hash of the room. ARGV: key. Returns the
 * value of the field.
 */
export const ENTRY = script(`${OPEN_ROOM}${ENTRY_VALUE}
local value = redis.call('HGET', entries, ARGV[1])
local _, _, due = parseEntry(value)
if due and due ~= '0' and tonumber(due) <= now then return false end
return value
`);

/**
 * Reads a page of the entries of a room, by position.
 *
 * KEYS: meta, the hash of the room, its order, its deleted keys. ARGV: the position to begin after,
 * entries, bytes, and the last position of the log at the first page (empty for that page).
 *
 * Returns { epoch, last position of the log, position of the room's first change, 1 if it has had
 * other events, the highest position that the newest of those can have, time in microseconds, 1 for
 * the last page, keys, values }. The last page also has the number of entries of the room, and the
 * keys that were deleted after the first page, each with the position of the deletion.
 */
export const PAGE = script(`${OPEN_ROOM}
local maxEntries, maxBytes, first = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local order = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[1], '+inf', 'LIMIT', 0, maxEntries)
local keys, values, bytes = {}, {}, 0
for from = 1, #order, 100 do
  if bytes > maxBytes then break end
  local to = math.min(from + 99, #order)
  local slice = redis.call('HMGET', entries, unpack(order, from, to))
  for n = from, to do
    keys[n], values[n] = order[n], slice[n - from + 1] or ''
    bytes = bytes + #values[n]
  end
end
local isLast = #order < maxEntries and #values == #order
local reply = { known[1], known[2], begin, has, plain, text(now), isLast and 1 or 0, keys, values }
if isLast then
  reply[10] = redis.call('HLEN', entries) - 1
  reply[11] = first == '' and {} or redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. first, '+inf', 'WITHSCORES')
end
return reply
`);

/**
 * Reads all entries of a room at once, in any order. KEYS: meta, the hash of the room. Returns as
 * PAGE, with all fields of the hash as keys and values.
 */
export const WHOLE = script(`${OPEN_ROOM}
return { known[1], known[2], begin, has, plain, text(now), 1, redis.call('HKEYS', entries), redis.call('HVALS', entries) }
`);
