import type { Position } from '../wire/cursor.js';
import { decodeEvent, type StoredEvent } from '../log/event-text.js';
import { positionOf } from './notice.js';

/** The value of an entry, with its event not decoded yet. */
export interface StoredValue {
  readonly epoch: string;
  readonly position: Position;
  /** In microseconds of Redis' clock; `Infinity` for an entry without a ttl. */
  readonly dueAt: number;
  readonly text: string;
  readonly eventAt: number;
}

/** A page of the entries of a room. */
export interface EntryPage {
  readonly epoch: string;
  /** The last position of the log. */
  readonly position: Position;
  readonly begin: Position;
  readonly hasPlain: boolean;
  readonly lastPlain: Position;
  /** Redis' clock in microseconds. */
  readonly now: number;
  readonly isLast: boolean;
  readonly keys: readonly string[];
  readonly values: readonly string[];
  /** On the last page, the number of entries of the room. */
  readonly count: number;
  /** On the last page, the keys that were deleted after the first, and where. */
  readonly gone: readonly (readonly [key: string, position: Position])[];
}

/**
 * Parses a value: `<epoch> <position> <due> <event>`; `undefined` for any other text. If the epoch
 * is `sameEpoch`, it is that string, so that entries share one.
 */
export function entryOf(text: string, sameEpoch?: string): StoredValue | undefined {
  const positionAt = text.indexOf(' ') + 1;
  const dueAt = text.indexOf(' ', positionAt) + 1;
  const eventAt = text.indexOf(' ', dueAt) + 1;
  if (positionAt === 0 || dueAt === 0 || eventAt === 0) return undefined;
  const position = positionOf(text.slice(positionAt, dueAt - 1));
  const due = positionOf(text.slice(dueAt, eventAt - 1));
  if (position === undefined || due === undefined) return undefined;
  const own = text.slice(0, positionAt - 1);
  const epoch = own === sameEpoch ? sameEpoch : own;
  return { epoch, position, dueAt: due === 0 ? Infinity : due, text, eventAt };
}

/** Decodes the event of an entry; `undefined` if it is damaged. */
export function entryEvent(value: StoredValue): StoredEvent | undefined {
  return decodeEvent(value.epoch, value.position, value.text, value.eventAt);
}

/** Parses the reply of `PAGE` or `WHOLE`; `undefined` if the room has no entries known. */
export function pageOf(reply: unknown): EntryPage | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [epoch, position, begin, has, lastPlain, now, isLast, keys, values, count, deleted] =
    reply as [
      epoch: string,
      position: string,
      begin: string,
      has: string,
      lastPlain: string,
      now: string,
      isLast: number,
      keys: string[],
      values: string[],
      count?: number,
      deleted?: string[],
    ];
  const gone: [string, Position][] = [];
  for (let n = 0; n + 1 < (deleted?.length ?? 0); n += 2) {
    gone.push([deleted?.[n] ?? '', Number(deleted?.[n + 1])]);
  }
  return {
    epoch,
    position: Number(position),
    begin: Number(begin),
    hasPlain: has === '1',
    lastPlain: Number(lastPlain),
    now: Number(now),
    isLast: isLast === 1,
    keys,
    values,
    count: count ?? 0,
    gone,
  };
}
