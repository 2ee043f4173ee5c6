import type { Position } from '../wire/cursor.js';
import { decodeEvent, type StoredEvent } from '../log/event-text.js';
import { FORMAT } from './script.js';

/** A message on the hub's channel. */
export type Notice =
  | {
      readonly kind: 'event';
      readonly epoch: string;
      readonly position: Position;
      /** The position of the event before it in the hub. */
      readonly before: Position;
      /** The position of the event before it in each of its rooms. */
      readonly previous: readonly Position[];
      /** The number of entries in all rooms; `undefined` if there never was one. */
      readonly entries: number | undefined;
      /** Set if the event set an entry that ends: after how many milliseconds. */
      readonly endsInMs: number | undefined;
      readonly event: StoredEvent;
    }
  | {
      readonly kind: 'ephemeral';
      readonly epoch: string;
      readonly event: StoredEvent<undefined>;
    }
  /** No event, only the head of the log. */
  | { readonly kind: 'probe'; readonly epoch: string; readonly position: Position };

// Each kind includes the format, so that notices of other versions are not read as ours.
const EVENT = `n${FORMAT}`;
const EPHEMERAL = `e${FORMAT}`;
const PROBE = `p${FORMAT}`;

/**
 * Parses a notice; `undefined` for any other text:
 * - `n3 <epoch> <position> <before> <previous>,<previous>…`, in a hub with entries their number, if
 *   the event set one with a ttl that ttl, a line break, an event
 * - `e3 <epoch>`, a line break, an event
 * - `p3 <epoch> <position>`
 */
export function parseNotice(text: string): Notice | undefined {
  const end = text.indexOf('\n');
  const parts = (end === -1 ? text : text.slice(0, end)).split(' ');
  const [kind, epoch = ''] = parts;
  if (!/^[\w-]{1,11}$/.test(epoch)) return undefined;
  if (kind === EVENT && end !== -1) return eventNotice(parts, text, end + 1);
  if (kind === EPHEMERAL && end !== -1 && parts.length === 2) {
    const event = decodeEvent(epoch, undefined, text, end + 1);
    return event && { kind: 'ephemeral', epoch, event };
  }
  if (kind !== PROBE || end !== -1 || parts.length !== 3) return undefined;
  const position = positionOf(parts[2]);
  return position === undefined ? undefined : { kind: 'probe', epoch, position };
}

function eventNotice(parts: readonly string[], text: string, from: number): Notice | undefined {
  const [, epoch = '', at, beforeIt, inRooms = '', count, ttl] = parts;
  if (parts.length > 7) return undefined;
  const [entries, endsInMs] = [positionOf(count), positionOf(ttl)];
  if (entries === undefined && count !== undefined) return undefined;
  if (endsInMs === undefined && ttl !== undefined) return undefined;
  const position = positionOf(at);
  const before = positionOf(beforeIt);
  if (position === undefined || before === undefined || before >= position) return undefined;
  const previous: Position[] = [];
  for (const each of inRooms.split(',')) {
    const known = positionOf(each);
    if (known === undefined || known > before) return undefined;
    previous.push(known);
  }
  const event = decodeEvent(epoch, position, text, from);
  if (event === undefined || event.rooms.length !== previous.length) return undefined;
  return { kind: 'event', epoch, position, before, previous, entries, endsInMs, event };
}

/** Parses a position or another whole number; `undefined` for any other text. */
export function positionOf(text: string | undefined): Position | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const position = Number(text);
  return Number.isSafeInteger(position) ? position : undefined;
}
