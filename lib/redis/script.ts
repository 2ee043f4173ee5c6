import { createHash } from 'node:crypto';

/** A Lua script. It is sent by its hash; in full only to a server that does not know it. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export const script = (lua: string): Script => ({
  lua,
  sha: createHash('sha1').update(lua).digest('hex'),
});

/**
 * The version of a hub's data in Redis: its keys, the text of events, and notices. Change it with
 * any of them. A process refuses a log of another format.
 */
export const FORMAT = '3';

/** Shared by all scripts. `text()` is needed because Lua writes a position as `1.7e+15`. */
export const COMMON = `
local function text(number) return string.format('%.0f', number) end

local function checkFormat(format)
  if format ~= '${FORMAT}' then error(redis.error_reply('FORMAT ' .. (format or 'none') .. ' is that of the log, and ${FORMAT} that of this process')) end
end

-- In slices, because Lua's unpack takes at most 8 000.
local function statesOf(rooms, names)
  local states = {}
  for from = 1, #names, 1000 do
    local slice = redis.call('HMGET', rooms, unpack(names, from, math.min(from + 999, #names)))
    for n = 1, #slice do states[from + n - 1] = slice[n] end
  end
  return states
end

-- The stream for texts of events with many rooms. Not UTF-8, so no room has this name.
local WIDE = '\\255'
`;

/** `identityOf()` is that of `meta` for a durable store. */
export const IDENTITY = `
-- Changes with each start of a server and with each promotion.
local function identityOf(known, isDurable)
  -- mutant: the identity of the server is ignored
  if isDurable == '1' then return known end
  local info = redis.pcall('INFO', 'replication')
  local id = type(info) == 'string' and string.match(info, 'master_replid:(%w+)')
  if id then return id end
  error(redis.error_reply('NOIDENTITY ' .. (type(info) == 'table' and info.err or 'INFO has no master_replid')))
end
`;

/**
 * Reads `meta`. Begins a new epoch if there is none, or if the server is not the one that
 * acknowledged the events: a restarted server may have loaded an old snapshot, and a promoted
 * replica may lack the newest events.
 */
export const OPEN = `${COMMON}${IDENTITY}local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- An empty token matches no hash of rooms: all rooms of an earlier epoch count as removed.
-- The entries of rooms stay.
local function begin(meta, epoch, server, last, state)
  last = text(math.max(last, clock()))
  redis.call('HSET', meta, 'format', '${FORMAT}', 'epoch', epoch, 'server', server,
    'begin', last, 'last', last, 'forgotten', last, 'bytes', '0', 'rooms', '')
  return { epoch, last, last, '0', '', last, '${FORMAT}', server, state }
end

local function open(meta, epoch, isDurable)
  local known = redis.call('HMGET', meta, 'epoch', 'last', 'forgotten', 'bytes', 'rooms', 'begin', 'format', 'server', 'state')
  local server = identityOf(known[8], isDurable)
  if not known[1] then
    if redis.call('EXISTS', meta) == 1 then error(redis.error_reply('NOTOURS the key is of another program')) end
    return begin(meta, epoch, server or '', 0, false)
  end
  checkFormat(known[7])
  if server ~= known[8] then return begin(meta, epoch, server, tonumber(known[2]), known[9]) end
  return known
end
`;
