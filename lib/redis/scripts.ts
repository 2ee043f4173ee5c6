import { APPEND, APPEND_CHANGES } from './append-script.js';
import { FORMAT, OPEN, script } from './script.js';
import { NEXT_END } from './state-script.js';

/**
 * The keys of a hub in Redis, all in one slot:
 * - `meta`: a hash with the format, the epoch, the identity of the server that began the epoch, the
 *   position where it began, the last position, the highest last position of any removed room, the
 *   bytes of all events, and a token in the field `rooms`. If any room has had entries, the field
 *   `state` has a token, and the number and bytes of all entries.
 * - `rooms`: a hash with the last position and the bytes of each room that has events. Its field
 *   with the empty name has the token of `meta`. If they differ, this hash expired or was evicted.
 * - `oldest`: a sorted set of the rooms, by the position of their oldest event.
 * - `room:<name>`: a stream with the events of a room. The id of an entry is its position. The
 *   field `p` is the position before it. The field `e` is the event. An entry with `w` instead has
 *   its event in the wide stream, where it is stored once for all of its rooms.
 * - `key:<key>`: a string, the reply to the publish with this key.
 * - `entries:<room>`: a hash with the entries of a room. The field of a key has the epoch and the
 *   position of the event that set it, the time when it ends in microseconds or 0, and the event.
 *   The field with the empty name has the token of `meta`, the position of the first change, and
 *   the position of the newest event that changed no entry. If the tokens differ, the hash is of a
 *   log that no longer exists. It expires like the events when there are no entries.
 * - `order:<room>`: a sorted set of the keys of a room, by the position of their entries.
 * - `gone:<room>`: a sorted set of the keys that were deleted some seconds ago, by the position of
 *   the deletion. Reads in several pages need it.
 * - `ends`: a sorted set of all entries that end, by time. A member has the length of the room's
 *   name, the name, and the key.
 * - `endings`: a hash with the events that delete them.
 * - `publish:1`: a string, the text of the command for other languages. See `publish-command.ts`.
 */

/**
 * Publishes an event, which may change an entry. One script does both, because Redis refuses a
 * script that it has lost: of two scripts, it may have lost one, and later calls of the other would
 * overtake the calls that it refuses.
 *
 * KEYS: those of APPEND, key, a stream per room; for a change also the hash of the room.
 *
 * ARGV: those of APPEND, the event, lifetime of the key (0: none), and what it is. For `event` and
 * `ephemeral`, a name per room follows. For `set` and `delete`: the room, the key of the entry, the
 * condition (empty, `absent`, or "<epoch> <position>"), and for `set` the most entries per room,
 * the most bytes, the ttl in milliseconds (empty: none) and the event that ends the entry.
 *
 * Returns "<epoch> <position>", for an ephemeral event and for the deletion of nothing "<epoch> ".
 * If a change appended nothing, a list: `conflict` and the epoch and position of the entry, or the
 * limit (`keys`, `bytes`).
 */
export const PUBLISH_TEXT = `${APPEND}
local key, event, keyLifetime, kind = KEYS[4], ARGV[10], ARGV[11], ARGV[12]

if keyLifetime ~= '0' then
  local answered = redis.call('GET', key)
  if answered then return answered end
end

load()

local function answer(position)
  local reply = epoch .. ' ' .. position
  if keyLifetime ~= '0' then redis.call('SET', key, reply, 'PX', keyLifetime) end
  return reply
end

if kind == 'set' or kind == 'delete' then
${APPEND_CHANGES}
local now = clock()
local room, entryKey, condition = ARGV[13], ARGV[14], ARGV[15]
local entry = lookUp(room, entryKey)
local isThere = entry.position and not isDue(entry, now)
if condition ~= '' and condition ~= (isThere and entry.epoch .. ' ' .. entry.position or 'absent') then
  return { 'conflict', isThere and entry.epoch or '', isThere and entry.position or '' }
end

if kind == 'delete' then
  if not isThere then return epoch .. ' ' end
  return answer(append(event, { room }, now, function(here) delete(entry, here) end))
end

local maxKeys, maxEntryBytes, ttl, ending = tonumber(ARGV[16]), tonumber(ARGV[17]), ARGV[18], ARGV[19]
if ttl == '' then ttl = nil end
local function excess()
  if not entry.position and entry.begin and countOf(room) >= maxKeys then return 'keys' end
  local bytes = #entryKey + #event + (ttl and #ending or 0) - entry.bytes
  if tonumber(entryBytes or '0') + bytes > maxEntryBytes then return 'bytes' end
end
local ended = isDue(entry, now) and redis.call('HGET', hub .. 'endings', entry.member)
if ended then
  endEntry(entry, ended, now)
  entry = lookUp(room, entryKey)
end
local limit = excess()
if limit then
  endDue(now)
  entry = lookUp(room, entryKey)
  limit = excess()
end
if limit then return { limit } end
local function change(here, has, plain) set(entry, event, ttl, ending, now, here, has, plain) end
return answer(append(event, { room }, now, change, ttl))
end

if kind == 'ephemeral' then
  -- The key first: if there is no memory for it, nothing is published.
  local reply = answer('')
  redis.call(publish, channel, 'e${FORMAT} ' .. epoch .. '\\n' .. event)
  return reply
end

local names = {}
for n = 13, #ARGV do names[#names + 1] = ARGV[n] end
return answer(append(event, names, clock()))
`;

/** `PUBLISH_TEXT` as a script. */
export const PUBLISH = script(PUBLISH_TEXT);

/**
 * Ends entries that are due. KEYS and ARGV: those of APPEND. Returns in how many milliseconds the
 * next one ends, or an empty text.
 */
export const END_DUE = script(`${APPEND}${APPEND_CHANGES}${NEXT_END}
load()
if not stateToken then return '' end
endDue(clock())
return nextEnd(hub .. 'ends')
`);

/**
 * KEYS: meta, ends. ARGV: an epoch for a new log, 1 for a durable store. Returns { epoch, last
 * position, position where the epoch began, number of entries, milliseconds until the next entry
 * ends }. The last two are empty if there never was an entry, or if none ends.
 */
export const HEAD = script(`${OPEN}
${NEXT_END}
local known = open(KEYS[1], ARGV[1], ARGV[2])
return headOf(known, KEYS[2])
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
${NEXT_END}
local meta = KEYS[1]
local known = open(meta, ARGV[1], ARGV[2])
if known[1] == ARGV[5] then
  local server = redis.call('HGET', meta, 'server') or ''
  known = begin(meta, ARGV[1], server, math.max(tonumber(known[2]), tonumber(ARGV[6])), known[9])
  redis.call(ARGV[4], ARGV[3], 'p${FORMAT} ' .. known[1] .. ' ' .. known[2])
end
return headOf(known, KEYS[2])
`);
