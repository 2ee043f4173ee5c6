/**
 * How long the deletion of an entry is remembered: longer than any read of a room takes, which may
 * have seen the entry before.
 */
const DELETED_US = 10_000_000;

/** The record of a room that has had entries. */
export const RECORD = `
-- Of a room: the position of its first change, 1 if it is known to have had other events, and the
-- highest position that the newest of those can have. nil if it never had entries.
local function parseRoom(record, token)
  local owner, begin, has, plain = string.match(record or '', '^(%d+) (%d+) ([01]) (%d+)$')
  if owner and owner == token then return begin, has, plain end
end
`;

/** The value of an entry. */
export const ENTRY_VALUE = `
-- The epoch and position of an entry, when it is due, and where its event begins.
local function parseEntry(value)
  return string.match(value or '', '^(%S+) (%d+) (%d+) ()')
end
`;

/** When the next entry ends, and the reply to a call for the head. */
export const NEXT_END = `
-- In how many milliseconds the next entry ends; an empty text if none does.
local function nextEnd(ends)
  local first = redis.call('ZRANGE', ends, 0, 0, 'WITHSCORES')
  return first[2] and text(math.max(0, math.ceil((tonumber(first[2]) - clock()) / 1000))) or ''
end

local function headOf(known, ends)
  local count = string.match(known[9] or '', '^%d+ (%d+) %d+$')
  return { known[1], known[2], known[6], count or '', count and nextEnd(ends) or '' }
end
`;

/** Changes of entries. Part of the scripts that append them. */
export const CHANGES = `${ENTRY_VALUE}
-- What is known of a room and of the entry at a key. Without begin, the room never had entries;
-- without position, there is none at the key.
local function lookUp(room, key)
  local entry = { room = room, key = key, bytes = 0, member = #room .. ' ' .. room .. key }
  local found = redis.call('HMGET', hub .. 'entries:' .. room, '', key)
  entry.begin = parseRoom(found[1], stateToken)
  if not entry.begin or not found[2] then return entry end
  local start
  entry.epoch, entry.position, entry.due, start = parseEntry(found[2])
  if not start then return entry end
  entry.bytes = #key + #found[2] - start + 1
  if entry.due ~= '0' then entry.bytes = entry.bytes + redis.call('HSTRLEN', hub .. 'endings', entry.member) end
  return entry
end

local function isDue(entry, now)
  return entry.position and entry.due ~= '0' and tonumber(entry.due) <= now
end

-- The number of entries of a room, without the record in its field with the empty name.
local function countOf(room) return math.max(0, redis.call('HLEN', hub .. 'entries:' .. room) - 1) end

-- Adds to the number and the bytes of all entries.
local function count(entries, bytes)
  entryCount = text(math.max(0, tonumber(entryCount or '0') + entries))
  entryBytes = text(math.max(0, tonumber(entryBytes or '0') + bytes))
end

local function set(entry, event, ttl, ending, now, here, has, plain)
  local entries, order = hub .. 'entries:' .. entry.room, hub .. 'order:' .. entry.room
  local due = ttl and text(now + tonumber(ttl) * 1000) or '0'
  local value = epoch .. ' ' .. here .. ' ' .. due .. ' ' .. event
  if not stateToken then stateToken = here end
  if entry.begin then
    redis.call('HSET', entries, entry.key, value)
    -- A room without entries expires.
    if not entry.position then redis.call('PERSIST', entries) end
  else
    local gone = hub .. 'gone:' .. entry.room
    if redis.call('EXISTS', entries, order, gone) > 0 then redis.call('DEL', entries, order, gone) end
    redis.call('HSET', entries, '', stateToken .. ' ' .. here .. ' ' .. has .. ' ' .. plain, entry.key, value)
  end
  redis.call('ZADD', order, here, entry.key)
  if ttl then
    redis.call('ZADD', hub .. 'ends', due, entry.member)
    redis.call('HSET', hub .. 'endings', entry.member, ending)
  elseif entry.position and entry.due ~= '0' then
    redis.call('ZREM', hub .. 'ends', entry.member)
    redis.call('HDEL', hub .. 'endings', entry.member)
  end
  count(entry.position and 0 or 1, #entry.key + #event + (ttl and #ending or 0) - entry.bytes)
end

local function delete(entry, here)
  local entries, gone = hub .. 'entries:' .. entry.room, hub .. 'gone:' .. entry.room
  redis.call('HDEL', entries, entry.key)
  redis.call('ZREM', hub .. 'order:' .. entry.room, entry.key)
  redis.call('ZADD', gone, here, entry.key)
  redis.call('ZREMRANGEBYSCORE', gone, '-inf', text(tonumber(here) - ${DELETED_US}))
  redis.call('PEXPIRE', gone, ${DELETED_US / 1000})
  if entry.due ~= '0' then
    redis.call('ZREM', hub .. 'ends', entry.member)
    redis.call('HDEL', hub .. 'endings', entry.member)
  end
  -- As long as an event of the room may be kept.
  if countOf(entry.room) == 0 then redis.call('PEXPIRE', entries, expiry) end
  count(-1, -entry.bytes)
end
`;
