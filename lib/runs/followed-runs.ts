import { HttpException } from '@nestjs/common';
import type { Time } from '../ground/time.js';
import type { Hub } from '../hub/hub.js';
import { LEASE_MS } from '../hub/lease.js';
import type { LoggedEvent } from '../log/event.js';
import { formatCursor, type Cursor } from '../wire/cursor.js';
import { SSE_DELETE } from '../wire/protocol.js';
import { FollowedRun, type RunEntry } from './followed-run.js';
import type { RunEntries } from './run-entries.js';
import { noRun } from './run-error.js';
import type { Word } from './run-messages.js';
import type { ReadRun } from './run-reader.js';
import { isOver, type RunRecord } from './run-record.js';
import type { FollowOptions } from './runs.options.js';

/** A run is followed for this long after its last reader has left: many come back. */
const LINGER_MS = 5_000;

/** The runs that this process follows: those it works on, and those that somebody here reads. */
export class FollowedRuns {
  private readonly byId = new Map<string, FollowedRun>();
  private cancelBeat: (() => void) | undefined;

  constructor(
    private readonly hub: Hub,
    private readonly entries: RunEntries,
    private readonly time: Time,
    private readonly process: {
      /** Whether this process works on the run. */
      has(run: string): boolean;
      /** Sends a word to the process that does. */
      tell(word: Word, id: string, record: RunRecord): Promise<void>;
    },
  ) {}

  isRead(id: string): boolean {
    return (this.byId.get(id)?.readers ?? 0) > 0;
  }

  /**
   * A further reader.
   * @throws HttpException 204 or 404, if there is no run
   */
  async read(id: string, { kind, none = 204 }: FollowOptions): Promise<ReadRun> {
    let run = this.byId.get(id);
    // One that has ended may have been replaced a moment ago.
    if (run === undefined || isOver(run.record)) {
      run = await this.entries.read(id, (entry) => entry && this.follow(id, entry));
    }
    if (run === undefined || (kind !== undefined && run.record.kind !== kind)) {
      throw none === 204 ? new HttpException('', 204) : noRun(id);
    }
    const found = run;
    found.readers++;
    found.cancelEnd?.();
    if (found.record.abandonMs !== undefined) this.beat();
    return {
      id,
      transcript: found.transcript,
      loaded: found.load(),
      deliveredUpTo: (cursor) => this.deliveredUpTo(cursor),
      release: () => {
        found.readers--;
        this.endLater(found);
      },
    };
  }

  private async deliveredUpTo({ epoch, position }: Cursor): Promise<void> {
    const { delivery, log } = this.hub;
    const isHere = (): boolean =>
      epoch !== delivery.head.epoch || position <= delivery.head.position;
    if (isHere()) return;
    const head = await log.head();
    // It is made up, or of a hub with another log.
    if (epoch !== head.epoch || position > head.position) return;
    await new Promise<void>((resolve) => delivery.whenAt(position, resolve));
  }

  /** This process has begun the run; `newest` is the newest change of its entry it has heard of. */
  begin(id: string, entry: RunEntry, newest: number): void {
    const run = this.follow(id, entry);
    run.begin();
    // Others have ended it before this process heard that it has begun it.
    if (newest > entry.position) this.readAgain(run);
  }

  private follow(id: string, entry: RunEntry): FollowedRun {
    const known = this.byId.get(id);
    if (known?.record.run === entry.record.run) return known;
    known?.gone();
    const run = new FollowedRun(id, entry, this.hub, this.time, {
      askForPage: () => void this.process.tell('page', id, run.record),
      gone: () => this.forget(run),
    });
    this.byId.set(id, run);
    this.endLater(run);
    return run;
  }

  private endLater(run: FollowedRun): void {
    run.cancelEnd?.();
    run.cancelEnd = this.time.after(LINGER_MS, () => {
      if (run.readers > 0) return;
      if (this.process.has(run.record.run)) this.endLater(run);
      else this.forget(run);
    });
  }

  private forget(run: FollowedRun): void {
    run.close();
    if (this.byId.get(run.id) === run) this.byId.delete(run.id);
  }

  /** The entry of some run has changed, in any process. */
  entryChanged({ epoch, position, message }: LoggedEvent): void {
    if (position === undefined) return;
    const { key: id, value: record } = message.data as { key: string; value?: RunRecord };
    const run = this.byId.get(id);
    if (message.type === SSE_DELETE || record === undefined) run?.gone();
    else if (run !== undefined) {
      if (run.record.run === record.run) {
        run.changed({ record, cursor: formatCursor({ epoch, position }), position });
      } else run.gone();
    }
    this.entries.changed(id, position);
  }

  /** Changes of entries did not reach this process. */
  readAllAgain(): void {
    this.entries.mayHaveChanged();
    for (const run of this.byId.values()) this.readAgain(run);
  }

  private readAgain(run: FollowedRun): void {
    this.entries.read(run.id, (entry) => this.takeEntry(run, entry)).catch(() => {});
  }

  private takeEntry(run: FollowedRun, entry: RunEntry | undefined): void {
    if (entry?.record.run === run.record.run) return run.changed(entry);
    if (entry !== undefined || isOver(run.record)) return run.gone();
    // The log has lost the entry, and the process of the run writes it again, if it lives.
    this.time.after(LEASE_MS, () => {
      if (this.byId.get(run.id) !== run) return;
      void this.entries
        .get(run.id)
        .then((now) => now ?? run.gone())
        .catch(() => {});
    });
  }

  /** Tells other processes that their runs are read here, as long as they are. */
  private beat(): void {
    this.cancelBeat?.();
    const ms: number[] = [];
    for (const { id, readers, record } of this.byId.values()) {
      if (readers === 0 || record.abandonMs === undefined || isOver(record)) continue;
      ms.push(record.abandonMs / 4);
      if (!this.process.has(record.run)) void this.process.tell('read', id, record);
    }
    if (ms.length === 0) return;
    this.cancelBeat = this.time.after(Math.ceil(Math.min(...ms)), () => this.beat());
  }

  /** Readers get the error instead of further messages. */
  close(why: unknown): void {
    this.cancelBeat?.();
    for (const run of this.byId.values()) run.gone(why);
  }
}
