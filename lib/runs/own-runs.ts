import { Logger } from '@nestjs/common';
import { Deferred } from '../ground/deferred.js';
import { describe, SseClosedError, SseConflictError } from '../ground/errors.js';
import type { Time } from '../ground/time.js';
import { RareLine } from '../ground/warnings.js';
import type { HubFacts } from '../hub/new-event.js';
import { Lease } from '../hub/lease.js';
import type { SureLog } from '../hub/sure-log.js';
import type { StateRoom } from '../hub/state-room.js';
import { parseCursor } from '../wire/cursor.js';
import { Production, type Outcome, type RunProducer } from './production.js';
import { isOver, roomOf, RUNNERS, RUNS, written, type RunRecord } from './run-record.js';
import type { Slots } from './slots.js';

/** What has just ended is written again if the log goes back within this time. */
const RECENT_MS = 10_000;
/** The shutdown waits this long for the last writes. */
const CLOSE_MS = 2_000;

const logger = new Logger('Sse');

/** A run that this process works on. */
interface OwnRun {
  readonly id: string;
  readonly production: Production;
  record: RunRecord;
  /** The cursor of its entry. */
  cursor: string;
  /** Somebody has read it last at this time. */
  readAt: number;
  cancelCheck: (() => void) | undefined;
  done: Promise<void>;
  /** The last of the changes of its entry, which are made one after the other. */
  changing: Promise<unknown>;
}

/** The runs that this process works on. */
export class OwnRuns {
  readonly lease: Lease;
  /** By their random names. */
  private readonly runs = new Map<string, OwnRun>();
  private readonly recent = new Set<OwnRun>();
  private readonly records: StateRoom<Record<string, RunRecord>>;
  private starting = 0;
  private readonly failures = new RareLine();

  constructor(
    private readonly log: SureLog,
    private readonly facts: () => HubFacts,
    private readonly time: Time,
    private readonly slots: Slots,
    /** Whether somebody reads the run in this process. */
    private readonly isRead: (id: string) => boolean,
  ) {
    this.records = log.room(RUNS);
    this.lease = new Lease(log, time, this, RUNNERS);
  }

  get count(): number {
    return this.runs.size;
  }

  get needsLease(): boolean {
    return this.runs.size > 0 || this.starting > 0;
  }

  /**
   * Makes the entry of a new run under the lease, which is held until the run has begun.
   */
  async underLease<T>(start: (address: string) => Promise<T>): Promise<T> {
    this.starting++;
    try {
      return await start(await this.lease.hold());
    } finally {
      this.starting--;
    }
  }

  has(run: string): boolean {
    return this.runs.has(run);
  }

  /** Begins to work on a run whose entry this process has just set. */
  begin(
    id: string,
    record: RunRecord,
    cursor: string,
    /** The cursor of the first page. */
    page: string,
    producer: RunProducer,
    maxBytes: number,
  ): void {
    const room = roomOf(id, record);
    const mayWrite = (): Promise<unknown> => this.lease.hold();
    const run = { id, room, maxBytes, mayWrite };
    const { epoch = '' } = parseCursor(page) ?? {};
    const production = new Production(run, this.log, this.facts(), this.time, epoch);
    const own: OwnRun = {
      id,
      production,
      record,
      cursor,
      readAt: this.time.now(),
      cancelCheck: undefined,
      done: Promise.resolve(),
      changing: Promise.resolve(),
    };
    this.runs.set(record.run, own);
    own.done = this.work(own, producer);
    this.checkReaders(own);
  }

  private async work(own: OwnRun, producer: RunProducer): Promise<void> {
    try {
      const outcome = await own.production.work(producer);
      own.cancelCheck?.();
      await inTurn(own, async () => {
        if (await this.end(own, outcome)) await this.keep(own);
      });
    } catch (error) {
      if (error instanceof SseClosedError || this.failures.again() === 0) return;
      logger.warn(`The end of a run was not written, its lease ends it: ${describe(error)}`);
    } finally {
      this.runs.delete(own.record.run);
    }
  }

  /** Returns whether the run ended here, and not because this process was taken for dead. */
  private async end(own: OwnRun, { state, error }: Outcome): Promise<boolean> {
    own.record = { ...own.record, state, endedAt: Date.now(), ...(error && { error }) };
    this.recent.add(own);
    this.time.after(RECENT_MS, () => this.recent.delete(own));
    if (await this.set(own)) return true;
    // It has ended before what this process has written last.
    this.recent.delete(own);
    return false;
  }

  /** Sets the entry of a run that nobody else has ended. */
  private async set(own: OwnRun): Promise<boolean> {
    for (;;) {
      const condition = own.cursor === '' ? { ifAbsent: true } : { ifPosition: own.cursor };
      try {
        own.cursor = await this.records.set(own.id, own.record, condition);
        return true;
      } catch (thrown) {
        if (!(thrown instanceof SseConflictError)) throw thrown;
        const now = await this.records.get(own.id);
        const isOther = now !== undefined && now.value.run !== own.record.run;
        if (isOther || (now !== undefined && isOver(now.value))) {
          own.production.stop('lost');
          return false;
        }
        // The log has lost the newest entry.
        own.cursor = now?.position ?? '';
      }
    }
  }

  /** Keeps an ended run for `keepMs`. */
  private async keep(own: OwnRun): Promise<void> {
    const { record, production } = own;
    let isKept = false;
    while (!isKept) {
      const epoch = await production.close(record.keepMs);
      const endAt = parseCursor(own.cursor)?.position ?? 0;
      own.record = written(record, { endAt, count: production.count });
      // In another epoch, the log may have lost pages.
      isKept = (await this.setKept(own)) && parseCursor(own.cursor)?.epoch === epoch;
    }
    if (record.slot !== undefined) await this.slots.release(record.slot, record.run);
  }

  /** Returns false if the log has lost the end, which was then set again. */
  private async setKept(own: OwnRun): Promise<boolean> {
    const { id, record } = own;
    try {
      own.cursor = await this.records.set(id, record, {
        ttlMs: record.keepMs,
        ifPosition: own.cursor,
      });
      return true;
    } catch (error) {
      if (!(error instanceof SseConflictError)) throw error;
      // Others have ended it, or it is no longer kept.
      return !(await this.set(own));
    }
  }

  /** The lease has ended, or the log may have lost what was written under it. */
  leaseLost(): void {
    for (const own of this.runs.values()) {
      if (own.production.isOver) continue;
      void inTurn(own, () => this.renew(own)).catch(() => own.production.stop('lost'));
    }
  }

  /** Takes a run over with the new address, unless others have ended it. */
  private async renew(own: OwnRun): Promise<void> {
    const on = await this.lease.hold();
    // Its end has a record of its own, which this must not undo.
    if (own.production.isOver) return;
    own.record = { ...own.record, on };
    if (await this.set(own)) own.production.rewrite();
  }

  /** The log has a new epoch, and may have lost the ends of runs. */
  restart(): void {
    for (const own of this.recent) {
      void inTurn(own, () => this.endAgain(own)).catch(() => {});
    }
  }

  private async endAgain(own: OwnRun): Promise<void> {
    const now = await this.records.get(own.id);
    if (now !== undefined && now.value.run !== own.record.run) return;
    const { endAt: _at, count: _count, ...ended } = own.record;
    own.record = ended;
    own.cursor = now?.position ?? '';
    const isEnded = now !== undefined && now.value.state === ended.state;
    if (isEnded || (await this.set(own))) await this.keep(own);
  }

  /** Stops a run of this process. */
  stop(run: string): void {
    this.runs.get(run)?.production.stop('stopped');
  }

  flush(run: string): void {
    this.runs.get(run)?.production.flush();
  }

  /** Somebody reads the run in another process. */
  wasRead(run: string): void {
    const own = this.runs.get(run);
    if (own !== undefined) own.readAt = this.time.now();
  }

  private checkReaders(own: OwnRun): void {
    const { abandonMs } = own.record;
    if (abandonMs === undefined) return;
    own.cancelCheck = this.time.after(Math.ceil(abandonMs / 4), () => {
      if (own.production.isOver) return;
      const now = this.time.now();
      if (this.isRead(own.id)) own.readAt = now;
      if (now - own.readAt >= abandonMs) own.production.stop('stopped');
      else this.checkReaders(own);
    });
  }

  /** Ends all runs: this process shuts down. */
  async close(): Promise<void> {
    const all = [...this.runs.values()];
    for (const { production } of all) production.stop('lost');
    const time = new Deferred<void>();
    const cancel = this.time.after(CLOSE_MS, () => time.resolve());
    const done = Promise.allSettled(all.map((own) => own.done));
    await Promise.race([done, time.promise]).finally(cancel);
    await this.lease.close(undefined);
  }
}

function inTurn(own: OwnRun, change: () => Promise<void>): Promise<void> {
  const done = own.changing.then(change);
  own.changing = done.catch(() => {});
  return done;
}
