import { randomBytes } from 'node:crypto';
import { HttpException } from '@nestjs/common';
import { currentStream, streamOf } from '../connection/current-stream.js';
import { SseClosedError, SseConflictError } from '../ground/errors.js';
import { REAL_TIME, type Time } from '../ground/time.js';
import type { Hub } from '../hub/hub.js';
import { LEASE_MS } from '../hub/lease.js';
import type { StateEntry, StateRoom } from '../hub/state-room.js';
import { SureLog } from '../hub/sure-log.js';
import type { LoggedEvent } from '../log/event.js';
import { defined } from '../options/defined.js';
import { formatCursor, parseCursor, type Cursor } from '../wire/cursor.js';
import { SSE_DELETE } from '../wire/protocol.js';
import { FollowedRun, type RunEntry } from './followed-run.js';
import { LostRuns } from './lost-runs.js';
import { OwnRuns } from './own-runs.js';
import { FIRST_PAGE, FIRST_PAGE_TTL, pageKey, type Page } from './pages.js';
import type { RunProducer } from './production.js';
import { isRunning, noRun, ofOtherKind, refusal } from './run-error.js';
import { RunMessages, type Word } from './run-messages.js';
import { RunReader, type ReadRun } from './run-reader.js';
import { isOver, roomOf, RUNNERS, RUNS, SLOTS, statusOf, type RunRecord } from './run-record.js';
import {
  checkFollowOptions,
  checkRunId,
  checkStartOptions,
  RUN_DEFAULTS,
  type FollowOptions,
  type RunLimits,
  type RunStatus,
  type StartOptions,
} from './runs.options.js';
import { Slots } from './slots.js';
import { SseRuns, type RunStream } from './sse-runs.js';

/** A run is followed for this long after its last reader has left: many come back. */
const LINGER_MS = 5_000;
/** The process of a run may have missed a message. */
const ASK_AGAIN_MS = 1_000;

/** Gets the position of the change; `Infinity` if this process may not have heard of some. */
type ChangeListener = (position: number) => void;

interface Beginning extends Pick<Required<RunLimits>, 'keepMs' | 'maxBytes'> {
  readonly kind: string;
  readonly concurrency: StartOptions['concurrency'];
  readonly abandonMs: number | false;
  /** The position of the entry whose place it takes. */
  readonly replaced: string | undefined;
}

/** The engine of `SseRuns`: the runs of one hub, as this process sees them. */
export class Runs extends SseRuns {
  private readonly log: SureLog;
  private readonly records: StateRoom<Record<string, RunRecord>>;
  private readonly slots: Slots;
  private readonly own: OwnRuns;
  private readonly lostRuns: LostRuns;
  private readonly messages: RunMessages;
  /** The runs that this process follows, by id. */
  private readonly followed = new Map<string, FollowedRun>();
  /** Who wants to hear of changes of the entry of a run, by its id. */
  private readonly listeners = new Map<string, Set<ChangeListener>>();
  private readonly unlisten: (() => void)[] = [];
  private cancelBeat: (() => void) | undefined;

  constructor(
    private readonly hub: Hub,
    private readonly limits: RunLimits = {},
    private readonly time: Time = REAL_TIME,
  ) {
    super();
    hub.requireHistory('SseRuns');
    const facts = { ...hub.facts, maxBytes: false as const };
    this.log = new SureLog(hub.log, facts, time);
    this.records = this.log.room(RUNS);
    this.slots = new Slots(this.log.room(SLOTS), this.records);
    const isRead = (id: string): boolean => (this.followed.get(id)?.readers ?? 0) > 0;
    this.own = new OwnRuns(this.log, () => hub.facts, time, this.slots, isRead);
    const epoch = (): string => hub.delivery.head.epoch;
    this.lostRuns = new LostRuns(this.log, hub.log, time, this.own.lease, this.slots, epoch);
    this.messages = new RunMessages(hub.peers, (word, id, run) => this.heard(word, run));
    this.unlisten.push(
      hub.delivery.listen(RUNNERS, this.lostRuns),
      hub.delivery.listen(RUNS, {
        event: (event) => this.recordChanged(event),
        lost: () => this.readAllAgain(),
        restart: () => {
          this.own.restart();
          this.readAllAgain();
        },
      }),
    );
    this.lostRuns.sweepLater();
  }

  async start(id: string, producer: RunProducer, options: StartOptions = {}): Promise<RunStream> {
    checkRunId('start(id)', id);
    checkStartOptions('start()', options);
    const { kind = 'run', concurrency, existing = 'attach', ...own } = options;
    const limits = { ...RUN_DEFAULTS, ...defined(this.limits), ...defined(own) };
    const { keepMs, maxBytes, abandonAfterMs: abandonMs } = limits;
    const beginning = { kind, concurrency, keepMs, maxBytes, abandonMs };
    for (;;) {
      // A run that is there already takes no slot.
      const replaced = existing === 'replace' ? await this.replaceable(id, kind) : undefined;
      const known = concurrency && existing === 'attach' && (await this.records.get(id));
      if (known) return this.attach(id, kind, known);
      const begun = await this.own.underLease((address) =>
        this.begin(id, address, producer, { ...beginning, replaced: replaced?.position }),
      );
      if (begun !== undefined) return begun;
      if (existing === 'replace') continue;
      const other = await this.records.get(id);
      if (other !== undefined) return this.attach(id, kind, other);
    }
  }

  /** Begins to work on a run, if there is no other one with this id. */
  private async begin(
    id: string,
    on: string,
    producer: RunProducer,
    { kind, concurrency, keepMs, maxBytes, abandonMs, replaced }: Beginning,
  ): Promise<RunStream | undefined> {
    const run = randomBytes(9).toString('base64url');
    const slot = concurrency && (await this.slots.take(concurrency, id, run));
    const record: RunRecord = {
      run,
      kind,
      state: 'running',
      on,
      peer: this.messages.address,
      startedAt: Date.now(),
      keepMs,
      ...(abandonMs !== false && { abandonMs }),
      ...(slot !== undefined && { slot }),
    };
    let newest = 0;
    const unlisten = this.listen(id, (position) => (newest = Math.max(newest, position)));
    const [entry, page] = await Promise.allSettled([
      this.tryToSet(id, record, replaced),
      this.log.room<Page>(roomOf(id, record)).set(pageKey(0), FIRST_PAGE, FIRST_PAGE_TTL),
    ]);
    unlisten();
    const cursor = entry.status === 'fulfilled' ? entry.value : undefined;
    if (cursor === undefined || page.status === 'rejected') {
      if (cursor !== undefined) await this.lostRuns.end(id, record, cursor);
      else if (slot !== undefined) await this.slots.release(slot, run);
      for (const each of [entry, page]) if (each.status === 'rejected') throw each.reason;
      return undefined;
    }
    const own = entryOf({ value: record, position: cursor });
    const followed = this.follower(id, own);
    followed.begin();
    this.own.begin(id, record, cursor, page.value, producer, maxBytes);
    // Others have ended it before this process heard that it has begun it.
    if (newest > own.position) this.readAgain(followed);
    return this.streamOf(id, true, {});
  }

  private attach(id: string, kind: string, { value }: StateEntry<RunRecord>): RunStream {
    if (value.kind !== kind) throw ofOtherKind(id, value.kind);
    return this.streamOf(id, false, {});
  }

  /**
   * The run that a new one may replace: all of it is written, so it expires by itself.
   * @throws HttpException 409
   */
  private async replaceable(id: string, kind: string): Promise<StateEntry<RunRecord> | undefined> {
    let changed = Promise.resolve();
    for (;;) {
      const entry = await this.records.get(id);
      if (entry === undefined) return undefined;
      if (entry.value.kind !== kind) throw ofOtherKind(id, entry.value.kind);
      if (!isOver(entry.value)) throw isRunning(id);
      if (entry.value.count !== undefined) return entry;
      await changed;
      changed = this.nextChange(id);
    }
  }

  /** Sets the entry of a new run, instead of the one at `position`. */
  private async tryToSet(
    id: string,
    record: RunRecord,
    position: string | undefined,
  ): Promise<string | undefined> {
    const condition = position === undefined ? { ifAbsent: true } : { ifPosition: position };
    try {
      // mutant: two processes start the same run
      return await this.records.set(id, record, condition);
    } catch (error) {
      if (error instanceof SseConflictError) return undefined;
      throw error;
    }
  }

  follow(id: string, options: FollowOptions = {}): RunStream {
    checkRunId('follow(id)', id);
    checkFollowOptions('follow()', options);
    return this.streamOf(id, false, options);
  }

  private streamOf(id: string, isNew: boolean, options: FollowOptions): RunStream {
    const given = options.connection && streamOf(options.connection);
    return {
      id,
      isNew,
      [Symbol.asyncIterator]: () => {
        const connection = given ?? currentStream.getStore();
        return new RunReader(() => this.read(id, options), options, connection);
      },
    };
  }

  private async read(id: string, { kind, none = 204 }: FollowOptions): Promise<ReadRun> {
    let run = this.followed.get(id);
    // One that has ended may have been replaced a moment ago.
    if (run === undefined || isOver(run.record)) run = await this.found(id);
    if (run === undefined || (kind !== undefined && run.record.kind !== kind)) {
      throw none === 204 ? new HttpException('', 204) : noRun(id);
    }
    run.readers++;
    run.cancelEnd?.();
    if (run.record.abandonMs !== undefined) this.beat();
    const { transcript } = run;
    return {
      id,
      transcript,
      loaded: run.load(),
      deliveredUpTo: (cursor) => this.deliveredUpTo(cursor),
      release: () => this.release(run),
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

  private found(id: string): Promise<FollowedRun | undefined> {
    return this.readEntry(id, (entry) => entry && this.follower(id, entry));
  }

  /**
   * Hands on an entry that is not older than a change that this process has heard of. The answer of
   * the log may be slower than the news of a change after it, and nobody would tell it again.
   */
  private async readEntry<T>(id: string, use: (entry: RunEntry | undefined) => T): Promise<T> {
    for (;;) {
      let newest = 0;
      const unlisten = this.listen(id, (position) => (newest = Math.max(newest, position)));
      try {
        const found = await this.records.get(id);
        const entry = found && entryOf(found);
        if (newest <= (entry?.position ?? 0)) return use(entry);
      } finally {
        unlisten();
      }
    }
  }

  private follower(id: string, entry: RunEntry): FollowedRun {
    const known = this.followed.get(id);
    if (known?.record.run === entry.record.run) return known;
    known?.gone();
    const run = new FollowedRun(id, entry, this.hub, this.time, {
      askForPage: () => void this.tell('page', id, run.record),
      gone: () => this.forget(run),
    });
    this.followed.set(id, run);
    this.endLater(run);
    return run;
  }

  private release(run: FollowedRun): void {
    run.readers--;
    this.endLater(run);
  }

  private endLater(run: FollowedRun): void {
    run.cancelEnd?.();
    run.cancelEnd = this.time.after(LINGER_MS, () => {
      if (run.readers > 0) return;
      if (this.own.has(run.record.run)) this.endLater(run);
      else this.forget(run);
    });
  }

  private forget(run: FollowedRun): void {
    run.close();
    if (this.followed.get(run.id) === run) this.followed.delete(run.id);
  }

  /** The entry of some run has changed, in any process. */
  private recordChanged({ epoch, position, message }: LoggedEvent): void {
    if (position === undefined) return;
    const { key: id, value: record } = message.data as { key: string; value?: RunRecord };
    const run = this.followed.get(id);
    if (message.type === SSE_DELETE || record === undefined) run?.gone();
    else if (run !== undefined) {
      if (run.record.run === record.run) {
        run.changed({ record, cursor: formatCursor({ epoch, position }), position });
      } else run.gone();
    }
    for (const heard of this.listeners.get(id) ?? []) heard(position);
  }

  /** Changes of entries did not reach this process. */
  private readAllAgain(): void {
    for (const listeners of this.listeners.values()) for (const heard of listeners) heard(Infinity);
    for (const run of this.followed.values()) this.readAgain(run);
  }

  private readAgain(run: FollowedRun): void {
    this.readEntry(run.id, (entry) => this.takeEntry(run, entry)).catch(() => {});
  }

  private takeEntry(run: FollowedRun, entry: RunEntry | undefined): void {
    if (entry?.record.run === run.record.run) return run.changed(entry);
    if (entry !== undefined || isOver(run.record)) return run.gone();
    // The log has lost the entry, and the process of the run writes it again, if it lives.
    this.time.after(LEASE_MS, () => {
      if (this.followed.get(run.id) !== run) return;
      void this.records
        .get(run.id)
        .then((now) => now ?? run.gone())
        .catch(() => {});
    });
  }

  async stop(id: string): Promise<RunStatus> {
    checkRunId('stop(id)', id);
    const entry = await this.records.get(id);
    if (entry === undefined) throw noRun(id);
    const { value: record } = entry;
    if (isOver(record)) {
      const remedy = 'there is nothing to stop; read its state with status()';
      throw refusal('over', `the run ${JSON.stringify(id)} has ended (${record.state}); ${remedy}`);
    }
    for (;;) {
      const changed = this.nextChange(id);
      await this.tell('stop', id, record);
      await changed;
      const now = await this.records.get(id);
      if (now === undefined || now.value.run !== record.run) throw noRun(id);
      if (isOver(now.value)) return statusOf(id, now.value, now.position);
    }
  }

  /** Resolves at the next change of the entry, or after a while. */
  private nextChange(id: string): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        unlisten();
        resolve();
      };
      const cancel = this.time.after(ASK_AGAIN_MS, wake);
      const unlisten = this.listen(id, wake);
    });
  }

  /** Returns a function that ends it. */
  private listen(id: string, listener: ChangeListener): () => void {
    const all = this.listeners.get(id) ?? new Set();
    this.listeners.set(id, all.add(listener));
    return () => {
      all.delete(listener);
      if (all.size === 0 && this.listeners.get(id) === all) this.listeners.delete(id);
    };
  }

  private tell(word: Word, id: string, { run, peer }: RunRecord): Promise<void> {
    return this.messages.send(word, id, run, peer);
  }

  private heard(word: Word, run: string): void {
    if (word === 'stop') this.own.stop(run);
    else if (word === 'page') this.own.flush(run);
    else this.own.wasRead(run);
  }

  /** Tells other processes that their runs are read here, as long as they are. */
  private beat(): void {
    this.cancelBeat?.();
    const ms: number[] = [];
    for (const { id, readers, record } of this.followed.values()) {
      if (readers === 0 || record.abandonMs === undefined || isOver(record)) continue;
      ms.push(record.abandonMs / 4);
      if (!this.own.has(record.run)) void this.tell('read', id, record);
    }
    if (ms.length === 0) return;
    this.cancelBeat = this.time.after(Math.ceil(Math.min(...ms)), () => this.beat());
  }

  async status(id: string): Promise<RunStatus | undefined> {
    checkRunId('status(id)', id);
    const entry = await this.records.get(id);
    return entry && statusOf(id, entry.value, entry.position);
  }

  async list({ kind }: { kind?: string } = {}): Promise<RunStatus[]> {
    const { entries } = await this.records.entries();
    return entries
      .filter(({ value }) => kind === undefined || value.kind === kind)
      .map(({ key, value, position }) => statusOf(key, value, position))
      .sort((one, other) => one.startedAt - other.startedAt);
  }

  /** Ends the runs of this process as `lost`, and stops reading. */
  async close(): Promise<void> {
    await this.own.close();
    this.lostRuns.close();
    this.cancelBeat?.();
    this.messages.close();
    for (const unlisten of this.unlisten) unlisten();
    for (const run of this.followed.values()) run.gone(new SseClosedError('the hub of the runs'));
    this.log.close();
  }
}

function entryOf({ value, position }: Pick<StateEntry<RunRecord>, 'value' | 'position'>): RunEntry {
  return { record: value, cursor: position, position: parseCursor(position)?.position ?? 0 };
}
