import { Logger } from '@nestjs/common';
import { describe, SseError } from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';
import type { RoomEntries } from '../log/entries.js';
import type { Position } from '../wire/cursor.js';
import { CALL_TIMEOUT_MS } from './client.js';
import { entryEvent, entryOf, pageOf, type EntryPage, type StoredValue } from './entry-reply.js';
import { FoundEntries } from './found-entries.js';
import { ENTRY, PAGE, WHOLE } from './entry-scripts.js';
import type { StoredEvent } from '../log/event-text.js';
import type { RunRead } from './log-reads.js';
import type { ReadLimit } from './read-limit.js';
import { limited, unavailable } from './waits.js';

/** The most that one page has, so that neither Redis nor this process is blocked for long. */
const PAGE_ENTRIES = 500;
const PAGE_BYTES = 1_048_576;
/** After this many reads that found no consistent state, a room is read at once. */
const MAX_TRIES = 2;

/** The prefixes of a hub's keys. */
interface EntryKeys {
  readonly meta: string;
  readonly entries: string;
  readonly order: string;
  readonly gone: string;
}

/** Reads the entries of rooms from Redis. */
export class EntryReads {
  private readonly damagedLine = new RareLine();

  constructor(
    private readonly keys: EntryKeys,
    private readonly run: RunRead,
    private readonly limit: ReadLimit,
  ) {}

  async entry(room: string, key: string): Promise<StoredEvent | undefined> {
    const { meta, entries } = this.keys;
    const reply = await this.limit.run((timeoutMs) =>
      this.run(ENTRY, [meta, entries + room], [key], timeoutMs),
    );
    const value = typeof reply === 'string' ? entryOf(reply) : undefined;
    return value && this.eventOf(room, value);
  }

  entries(room: string): Promise<RoomEntries | undefined> {
    return this.limit.run(async (timeoutMs) => {
      // Of all pages, not of each: a page that is late by it must not end the connection.
      const deadline = performance.now() + timeoutMs;
      try {
        return await limited(this.readAll(room, deadline), timeoutMs);
      } catch (error) {
        throw error instanceof SseError ? error : unavailable(describe(error), error);
      }
    });
  }

  private async readAll(room: string, deadline: number): Promise<RoomEntries | undefined> {
    for (let n = 0; n < MAX_TRIES; n++) {
      const read = await this.readPages(room, deadline);
      if (read !== 'inconsistent') return read;
    }
    return this.readWhole(room);
  }

  /** Reads pages by ascending position; see `FoundEntries`. */
  private async readPages(
    room: string,
    deadline: number,
  ): Promise<RoomEntries | 'inconsistent' | undefined> {
    const entries = new FoundEntries((value) => this.eventOf(room, value));
    const first = await this.readPage(room, 0, '');
    let page = first;
    while (page !== undefined) {
      // Another server may lack what the earlier pages have.
      if (page.epoch !== first?.epoch || page.begin !== first.begin) return 'inconsistent';
      const { position: after } = entryOf(page.values.at(-1) ?? '') ?? { position: 0 };
      if (performance.now() > deadline) throw unavailable('the entries of a room took too long');
      // Redis reads the next page while this one is decoded.
      const next = page.isLast ? undefined : this.readPage(room, after, String(first.position));
      next?.catch(() => {});
      if (next !== undefined) await nextTurn();
      // The order was evicted, or changed by another program.
      if (!entries.add(page)) return 'inconsistent';
      if (next === undefined) return entries.stateAt(page);
      page = await next;
    }
    return first && 'inconsistent';
  }

  private async readPage(
    room: string,
    after: Position,
    since: string,
  ): Promise<EntryPage | undefined> {
    const { meta, entries, order, gone } = this.keys;
    const keys = [meta, entries + room, order + room, gone + room];
    const args = [String(after), String(PAGE_ENTRIES), String(PAGE_BYTES), since];
    return pageOf(await this.run(PAGE, keys, args, CALL_TIMEOUT_MS));
  }

  private async readWhole(room: string): Promise<RoomEntries | undefined> {
    const { meta, entries } = this.keys;
    const keys = [meta, entries + room];
    const page = pageOf(await this.run(WHOLE, keys, [], CALL_TIMEOUT_MS));
    if (page === undefined) return undefined;
    const found = new Map<Position, StoredEvent>();
    for (const [n, text] of page.values.entries()) {
      if (n % PAGE_ENTRIES === 0) await nextTurn();
      const value = page.keys[n] === '' ? undefined : entryOf(text);
      if (value === undefined || value.dueAt <= page.now) continue;
      const event = this.eventOf(room, value);
      if (event !== undefined) found.set(event.position, event);
    }
    const { epoch, position, hasPlain, lastPlain } = page;
    const events: StoredEvent[] = [];
    for (const at of Float64Array.from(found.keys()).sort()) {
      const event = found.get(at);
      if (event !== undefined) events.push(event);
    }
    return { epoch, position, events, hasPlain, lastPlain };
  }

  private eventOf(room: string, value: StoredValue): StoredEvent | undefined {
    const event = entryEvent(value);
    if (event === undefined && this.damagedLine.again() > 0) {
      logger.warn(
        `An entry of room ${JSON.stringify(room)} in Redis cannot be read and is left out; find out which other program writes to its keys`,
      );
    }
    return event;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const logger = new Logger('Sse');
