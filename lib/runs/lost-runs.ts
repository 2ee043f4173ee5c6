import { Logger } from '@nestjs/common';
import { describe, SseClosedError, SseConflictError } from '../ground/errors.js';
import type { Time } from '../ground/time.js';
import { RareLine } from '../ground/warnings.js';
import type { RoomListener } from '../hub/delivery.js';
import { LEASE_MS, type Lease } from '../hub/lease.js';
import { knownKey, processesIn } from '../hub/presence-rooms.js';
import type { StateEntry } from '../hub/state-room.js';
import type { SureLog } from '../hub/sure-log.js';
import type { LoggedEvent } from '../log/event.js';
import type { EventLog } from '../log/event-log.js';
import { isCovered } from '../log/resume.js';
import { formatCursor, parseCursor } from '../wire/cursor.js';
import { isStateChange, SSE_SET } from '../wire/protocol.js';
import { pageKey, Pages, readPages, type Page, type RunEvent } from './pages.js';
import { isOver, roomOf, RUNNERS, RUNS, written, type RunRecord } from './run-record.js';
import type { Slots } from './slots.js';

/** All processes look for the runs of a dead one. The first has mostly ended them before. */
const MAX_DELAY_MS = 1_000;
const AGAIN_MS = 30_000;
const RANGE = { maxEvents: 1_000, maxBytes: 8 * 1_048_576 };

const logger = new Logger('Sse');

/** Ends the runs of processes that have died, and writes their last pages. */
export class LostRuns implements RoomListener {
  private readonly cleaning = new Map<string, () => void>();
  private readonly failures = new RareLine();
  private cancelSweep = (): void => {};
  private restartedAt = -Infinity;
  private isClosed = false;

  constructor(
    private readonly log: SureLog,
    private readonly reads: Pick<EventLog, 'read'>,
    private readonly time: Time,
    private readonly lease: Lease,
    private readonly slots: Slots,
    /** That of the log, as far as this process has heard. */
    private readonly epoch: () => string,
  ) {}

  close(): void {
    this.isClosed = true;
    this.cancelSweep();
    for (const cancel of this.cleaning.values()) cancel();
  }

  /** A change of the leases of all processes. */
  event(event: LoggedEvent): void {
    const address = this.lease.changed(event);
    if (address === undefined) return;
    // It may have been renewed, and the log may have lost that.
    const ms = this.isAfterLoss ? LEASE_MS : this.time.random() * MAX_DELAY_MS;
    // mutant: runs of a process that has died go on for ever
    this.cleanLater(address, ms);
  }

  /**
   * The entry of a run has changed. A process that stood still may write it after its lease has
   * ended. If it lives, it takes the run over with another address.
   */
  runChanged({ message: { type, data } }: LoggedEvent): void {
    if (type !== SSE_SET) return;
    const { value } = (data ?? {}) as { value?: RunRecord };
    if (value?.on === undefined || isOver(value) || !this.lease.hasEnded(value.on)) return;
    this.cleanLater(value.on, LEASE_MS);
  }

  lost(): void {
    this.sweep();
  }

  private get isAfterLoss(): boolean {
    return this.time.now() - this.restartedAt < LEASE_MS;
  }

  /** The log may have lost the leases of processes that live: they take new ones first. */
  restart(): void {
    this.lease.replace();
    this.restartedAt = this.time.now();
    // Of a process that has left, too: its runs may seem to be running again.
    for (const cancel of this.cleaning.values()) cancel();
    this.cleaning.clear();
    this.sweepLater();
  }

  /** Also at the start, which may follow a loss of which this process does not know. */
  sweepLater(): void {
    this.cancelSweep();
    this.cancelSweep = this.time.after(LEASE_MS, () => this.sweep());
  }

  /** Finds processes that have died while nobody was there to see it. */
  private sweep(): void {
    this.findDead().catch((error: unknown) => this.logFailure(error));
  }

  private async findDead(): Promise<void> {
    const { entries } = await this.log.room(RUNNERS).entries();
    const { live, known } = processesIn(entries);
    for (const address of known) if (!live.has(address)) this.cleanLater(address);
  }

  private cleanLater(address: string, ms = this.time.random() * MAX_DELAY_MS): void {
    if (this.isClosed || this.lease.isOwn(address) || this.cleaning.has(address)) return;
    const cancel = this.time.after(ms, () => void this.tryToClean(address));
    this.cleaning.set(address, cancel);
  }

  private async tryToClean(address: string): Promise<void> {
    try {
      const isDone = await this.clean(address);
      this.cleaning.delete(address);
      if (!isDone) this.cleanLater(address, LEASE_MS);
    } catch (error) {
      this.cleaning.delete(address);
      this.logFailure(error);
      if (!(error instanceof SseClosedError)) this.cleanLater(address, AGAIN_MS);
    }
  }

  private logFailure(error: unknown): void {
    if (error instanceof SseClosedError || this.failures.again() === 0) return;
    logger.warn(`Runs of a process that has died were not ended: ${describe(error)}`);
  }

  /**
   * Resolves with whether all of its runs have ended, with their last pages. If not, another
   * process ends one of them, or the log has lost something of which this process has not heard
   * yet.
   */
  private async clean(address: string): Promise<boolean> {
    const open = await this.openRunsOf(address);
    if (open === undefined) return false;
    for (const { key, value, position } of open) await this.end(key, value, position);
    if ((await this.openRunsOf(address))?.length !== 0) return false;
    await this.log.room(RUNNERS).delete(knownKey(address));
    return true;
  }

  private async openRunsOf(address: string): Promise<StateEntry<RunRecord>[] | undefined> {
    const { entries, cursor } = await this.log.room<RunRecord>(RUNS).entries();
    if (parseCursor(cursor)?.epoch !== this.epoch() || this.isAfterLoss) return undefined;
    return entries.filter(({ value }) => value.on === address && value.count === undefined);
  }

  /** Ends a run that nobody works on any more, and writes its last pages. */
  async end(id: string, record: RunRecord, position: string): Promise<void> {
    try {
      const runs = this.log.room<RunRecord>(RUNS);
      let ended = record;
      let at = position;
      if (!isOver(record)) {
        ended = { ...record, state: 'lost', endedAt: Date.now() };
        at = await runs.set(id, ended, { ifPosition: position });
      }
      const endAt = parseCursor(at)?.position ?? 0;
      // Without a page there was no message, unless the log has lost it.
      const isNew = parseCursor(position)?.epoch === parseCursor(at)?.epoch;
      const { pages, cursors, isCut = !isNew } = await this.read(roomOf(id, record), endAt);
      const ttl = { ttlMs: record.keepMs };
      const room = this.log.room<Page>(roomOf(id, record));
      for (const [no, page] of pages.from(0)) {
        const key = pageKey(no);
        const cursor = cursors.get(key);
        // If the process of the run lives after all, its pages have more.
        const condition = cursor === undefined ? { ifAbsent: true } : { ifPosition: cursor };
        await room.set(key, page, { ...ttl, ...condition });
      }
      const { count } = pages;
      const kept = written(ended, { endAt, count, isCut });
      await runs.set(id, kept, { ...ttl, ifPosition: at });
      if (record.slot !== undefined) await this.slots.release(record.slot, record.run);
    } catch (error) {
      // Another process was first.
      if (!(error instanceof SseConflictError)) throw error;
    }
  }

  /** All that the log still has of a run, up to its end, and the cursors of its pages. */
  private async read(
    room: string,
    endAt: number,
  ): Promise<{ pages: Pages; cursors: Map<string, string>; isCut?: boolean }> {
    const pages = new Pages();
    const cursors = new Map<string, string>();
    let last = 0;
    const add = (event: RunEvent): void => {
      if (event.position <= last || event.position > endAt) return;
      last = event.position;
      pages.add(event);
    };
    const entries = await this.log.entriesOf(room);
    const stored = readPages(entries, room);
    if (entries === undefined || stored === undefined) return { pages, cursors };
    for (const event of entries.events) {
      cursors.set((event.message.data as { key: string }).key, formatCursor(event));
    }
    for (const event of stored.events) add(event);
    let isCut = !stored.isWhole;
    for (let after = stored.newest.position; ;) {
      const [state] = (await this.reads.read([room], { after, ...RANGE })).rooms;
      if (state === undefined) return { pages, cursors, isCut: true };
      isCut ||= !isCovered(after, state.last, state.entries[0]);
      for (const { event } of state.entries) {
        after = event.position;
        if (!isStateChange(event.message.type)) add(event);
      }
      if (state.isWhole || state.entries.length === 0) return { pages, cursors, isCut };
    }
  }
}
