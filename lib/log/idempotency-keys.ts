import { Logger } from '@nestjs/common';
import type { Position } from '../wire/cursor.js';
import { KEY_BYTES, ownText, sizeOfText } from './heap-size.js';
import { Ring } from './ring.js';
import { RareLine } from '../ground/warnings.js';

const logger = new Logger('Sse');

/** A second event with the same key within this time is not published. */
export const KEY_LIFETIME_MS = 300_000;

/** The event that was published with a key. */
interface KeyedEvent {
  readonly key: string;
  readonly position: Position | undefined;
  readonly at: number;
}

/**
 * The idempotency keys of the last five minutes, within half of the history's memory. Keys have
 * priority over events: a removed event shows as a gap, but nobody can notice a forgotten key.
 */
export class IdempotencyKeys {
  /** Memory in use, as counted. */
  bytes = 0;
  private byKey = new Map<string, KeyedEvent>();
  /**
   * A queue beside the map, because finding the first key of a `Map` steps over all deleted ones.
   */
  private inOrder = new Ring<KeyedEvent>();
  private readonly droppedEarly = new RareLine();

  /** `maxBytes` is the limit of the whole history. */
  constructor(private readonly maxBytes: number) {}

  /** When the oldest key expires; `Infinity` if there is none. */
  get dueAt(): number {
    const oldest = this.inOrder.at(0);
    return oldest === undefined ? Infinity : oldest.at + KEY_LIFETIME_MS;
  }

  find(key: string, now: number): KeyedEvent | undefined {
    this.expire(now);
    return this.byKey.get(key);
  }

  /** Only for a key that `find()` does not know. */
  add(key: string, position: Position | undefined, now: number): void {
    const event = { key: ownText(key), position, at: now };
    this.byKey.set(event.key, event);
    this.inOrder.push(event);
    this.bytes += bytesOf(event);
    while (this.bytes > this.maxBytes / 2) {
      const dropped = this.dropOldest();
      if (dropped !== undefined) this.warnOfDropped(now - dropped.at);
    }
  }

  expire(now: number): void {
    while (this.dueAt <= now) this.dropOldest();
  }

  clear(): void {
    this.byKey = new Map();
    this.inOrder = new Ring();
    this.bytes = 0;
  }

  private dropOldest(): KeyedEvent | undefined {
    const oldest = this.inOrder.shift();
    if (oldest === undefined) return undefined;
    this.byKey.delete(oldest.key);
    this.bytes -= bytesOf(oldest);
    return oldest;
  }

  /** The only sign of it: a second event with a forgotten key looks like a first one. */
  private warnOfDropped(ageMs: number): void {
    const times = this.droppedEarly.again();
    if (times === 0) return;
    const what = `Idempotency keys fill half of history.maxBytes (${this.maxBytes})`;
    const kept = `${Math.floor(ageMs / 1_000)} s instead of ${KEY_LIFETIME_MS / 1_000} s`;
    const effect = `${times} keys were kept for only ${kept}; repeating their publish sends a second event`;
    const remedy = 'Raise history.maxBytes, or give keys to fewer events.';
    logger.warn(`${what}. ${effect}. ${remedy}`);
  }
}

function bytesOf({ key }: KeyedEvent): number {
  return KEY_BYTES + sizeOfText(key);
}
