import { SseConflictError } from '../ground/errors.js';
import type { EntryChange } from '../log/entries.js';
import { tooManyBytes, tooManyKeys } from '../log/entry-limits.js';
import type { Appended, NewEvent } from '../log/event-log.js';
import { KEY_LIFETIME_MS } from '../log/idempotency-keys.js';
import type { StateOptions } from '../log/state.options.js';
import { formatCursor } from '../wire/cursor.js';
import { encodeEvent } from '../log/event-text.js';
import type { HubKeys } from './keys.js';

/** 31 years. The time when an entry ends must have 16 digits. */
const MAX_TTL_MS = 1e12;

/** The keys of `PUBLISH`. */
export function publishKeys({ rooms, key = '', entry }: NewEvent, keys: HubKeys): string[] {
  const all = [keys.meta, keys.rooms, keys.oldest, keys.key + key];
  for (const room of rooms) all.push(keys.room + room);
  if (entry !== undefined) all.push(keys.entries + (rooms[0] ?? ''));
  return all;
}

/** The arguments of `PUBLISH` after those of `APPEND`. */
export function publishArgs(
  event: NewEvent,
  state: Required<StateOptions>,
  customSerializer: boolean,
): string[] {
  const { ephemeral = false, rooms, key, entry } = event;
  const lifetime = String(key === undefined ? 0 : KEY_LIFETIME_MS);
  const args = [encodeEvent(event, customSerializer), lifetime];
  if (ephemeral || entry === undefined)
    return [...args, ephemeral ? 'ephemeral' : 'event', ...rooms];
  return [...args, ...changeArgs(rooms[0] ?? '', entry, state, customSerializer)];
}

function changeArgs(
  room: string,
  { key, kind, condition, ttl }: EntryChange,
  state: Required<StateOptions>,
  customSerializer: boolean,
): string[] {
  const args = [kind, room, key, conditionOf(condition)];
  if (kind === 'delete') return args;
  args.push(String(state.maxKeys), String(state.maxBytes));
  if (ttl === undefined) return [...args, '', ''];
  return [...args, ttlOf(ttl), encodeEvent(ttl.end(room, key), customSerializer)];
}

/**
 * The result of `PUBLISH`.
 * @throws SseConflictError, SseLimitError
 */
export function publishReply(
  reply: unknown,
  { rooms: [room = ''], entry }: NewEvent,
  { maxKeys, maxBytes }: Required<StateOptions>,
): Appended {
  if (!Array.isArray(reply)) {
    const [epoch = '', position] = String(reply).split(' ');
    return { epoch, position: position ? Number(position) : undefined };
  }
  const [what, epoch, position] = reply.map(String);
  const key = entry?.key ?? '';
  if (what === 'keys') throw tooManyKeys(room, maxKeys);
  if (what === 'bytes') throw tooManyBytes(key, maxBytes);
  const now = epoch ? formatCursor({ epoch, position: Number(position) }) : undefined;
  throw new SseConflictError(room, key, now);
}

/** In whole milliseconds. */
function ttlOf({ ms }: NonNullable<EntryChange['ttl']>): string {
  return String(Math.ceil(Math.min(ms, MAX_TTL_MS)));
}

function conditionOf(condition: EntryChange['condition']): string {
  if (condition === undefined || condition === 'absent') return condition ?? '';
  return `${condition.epoch} ${condition.position}`;
}
