import { Logger } from '@nestjs/common';
import { describe, SseClosedError } from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';
import type { EventLogFactory } from '../log/event-log-factory.js';
import { KEY_LIFETIME_MS } from '../log/idempotency-keys.js';
import type { StateOptions } from '../log/state.options.js';
import { FIELDS } from './command-fields.js';
import type { HubKeys } from './keys.js';
import type { Link } from './link.js';
import { script } from './script.js';
import { PUBLISH_TEXT } from './scripts.js';

type Publishing = NonNullable<Parameters<EventLogFactory>[0]['publishing']>;

/** What the command has built in, so that its callers need no options. */
export interface CommandSettings extends Publishing {
  readonly state: Required<StateOptions>;
  /** The first of them, the epoch of a new log, is another one each time. */
  readonly appendArgs: readonly string[];
}

const logger = new Logger('Sse');

/** Puts the text of the command. KEYS: command. ARGV: the text. */
const PUT = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
`);

/**
 * Offers the command to other languages: puts its text where they find it. It is put at the start,
 * and in every new epoch, because the log may then have lost it.
 */
export class PublishCommand {
  private epoch: string | undefined;
  private putting: Promise<void> = Promise.resolve();
  private readonly failures = new RareLine();

  constructor(
    private readonly link: Pick<Link, 'ask'>,
    private readonly keys: HubKeys,
    private readonly settings: () => CommandSettings,
  ) {}

  /** Resolves when it is there. Never rejects: a process works without the command. */
  offer(epoch: string): Promise<void> {
    if (epoch !== this.epoch) {
      this.epoch = epoch;
      this.putting = this.put();
    }
    return this.putting;
  }

  private async put(): Promise<void> {
    try {
      const text = commandText(this.keys, this.settings());
      await this.link.ask(PUT, [this.keys.command], [text]);
    } catch (error) {
      // The next head tries again.
      this.epoch = undefined;
      if (error instanceof SseClosedError || this.failures.again() === 0) return;
      const what = 'Other languages may not find the command for publishing in Redis';
      logger.warn(`${what}, because it could not be written: ${describe(error)}`);
    }
  }
}

/**
 * The text of the command: a script that publishes an event as `append()` does, with the same
 * scripts. Equal settings give an equal text, so that Redis keeps one script for all processes.
 *
 * KEYS: command. ARGV: pairs of a field and its value. Returns the cursor of the event. Documented
 * in docs/guide/publishing.md, so it changes only as `COMMAND_VERSION` says.
 */
export function commandText(keys: HubKeys, settings: CommandSettings): string {
  const {
    appendArgs: [, ...appendArgs],
    keepsHistory,
    identifies,
    maxEventBytes,
    maxRoomsPerEvent,
  } = settings;
  const { maxKeys, maxBytes } = settings.state;
  const text = `
local COMMAND, META, ROOMS, OLDEST, KEY = ${[keys.command, keys.meta, keys.rooms, keys.oldest, keys.key].map(luaText).join(', ')}
local SETTINGS = { ${appendArgs.map(luaText).join(', ')} }
local maxEventBytes, maxRoomsPerEvent = ${luaLimit(maxEventBytes)}, ${luaLimit(maxRoomsPerEvent)}
local keepsHistory, identifies = ${keepsHistory}, ${identifies}
local maxEntries, maxEntryBytes, keyLifetime = '${maxKeys}', '${maxBytes}', '${KEY_LIFETIME_MS}'
${FIELDS}
if #KEYS ~= 1 or KEYS[1] ~= COMMAND then
  return redis.error_reply('SSE_INVALID_FIELD KEYS: expected one key, that of this command: ' .. COMMAND)
end
local isRead, args, key = pcall(function()
  local given, rooms = read(ARGV)
  local isChange = (given.set or given.delete) ~= nil
  return (isChange and changeOf or eventOf)(given, rooms), given.key or ''
end)
if not isRead then
  if type(args) == 'table' and args.refusal then return redis.error_reply(args.refusal) end
  error(args)
end

-- Random enough for a name of which each log has another.
local time = redis.call('TIME')
local all = { string.sub(redis.sha1hex(time[1] .. ' ' .. time[2] .. ' ' .. tostring({})), 1, 11) }
for _, setting in ipairs(SETTINGS) do all[#all + 1] = setting end
for _, arg in ipairs(args) do all[#all + 1] = arg end

local function run(KEYS, ARGV)
${PUBLISH_TEXT}
end
local reply = run({ META, ROOMS, OLDEST, KEY .. key }, all)

local function cursor(epoch, position)
  local number, digits = tonumber(position), ''
  repeat
    local digit = math.fmod(number, 36)
    digits = string.sub('0123456789abcdefghijklmnopqrstuvwxyz', digit + 1, digit + 1) .. digits
    number = math.floor(number / 36)
  until number == 0
  return '1.' .. epoch .. '.' .. digits
end

if type(reply) == 'table' then
  if reply[1] == 'conflict' then
    local now = reply[2] == '' and 'does not exist' or 'is at position ' .. cursor(reply[2], reply[3]) .. ' now'
    return redis.error_reply('SSE_CONFLICT the entry ' .. shown(args[5]) .. ' of room ' .. shown(args[4]) .. ' ' .. now .. ': read it again, and repeat the change')
  end
  local limit = reply[1] == 'keys' and 'state.maxKeys is ' .. maxEntries or 'state.maxBytes is ' .. maxEntryBytes
  return redis.error_reply('SSE_LIMIT ' .. limit .. ': the entry ' .. shown(args[5]) .. ' of room ' .. shown(args[4]) .. ' does not fit; delete entries, give them a ttl, or set a higher limit')
end
local epoch, position = string.match(reply, '^(%S+) (%d*)$')
if position == '' then return '' end
return cursor(epoch, position)
`;
  return HEAD + withoutComments(text);
}

const HEAD = `-- The command publish:1 of nestjs-eventstream. It publishes an event from any language:
-- EVALSHA <sha1 of this text> 1 <key of this text> room <name> type <type> data <JSON>
`;

/** Redis keeps it in memory, and clients load it. */
function withoutComments(lua: string): string {
  return lua
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('--'))
    .join('\n');
}

/** A text in Lua. The name of a hub may have any character. */
function luaText(text: string): string {
  const bytes = [...Buffer.from(text)].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[\w:{}. -]/.test(character) ? character : `\\${String(byte).padStart(3, '0')}`;
  });
  return `'${bytes.join('')}'`;
}

function luaLimit(limit: number | false): string {
  return limit === false ? 'math.huge' : String(limit);
}
