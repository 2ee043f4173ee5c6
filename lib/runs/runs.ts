import { randomBytes } from 'node:crypto';
import { currentStream, streamOf } from '../connection/current-stream.js';
import { SseClosedError } from '../ground/errors.js';
import { REAL_TIME, type Time } from '../ground/time.js';
import type { Hub } from '../hub/hub.js';
import type { StateEntry, StateRoom } from '../hub/state-room.js';
import { SureLog } from '../hub/sure-log.js';
import { defined } from '../options/defined.js';
import { FollowedRuns } from './followed-runs.js';
import { LostRuns } from './lost-runs.js';
import { OwnRuns } from './own-runs.js';
import { FIRST_PAGE, FIRST_PAGE_TTL, pageKey, type Page } from './pages.js';
import type { RunProducer } from './production.js';
import { entryOf, RunEntries } from './run-entries.js';
import { isRunning, noRun, ofOtherKind, refusal } from './run-error.js';
import { RunMessages, type Word } from './run-messages.js';
import { RunReader } from './run-reader.js';
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
  private readonly entries: RunEntries;
  private readonly slots: Slots;
  private readonly own: OwnRuns;
  private readonly lostRuns: LostRuns;
  private readonly messages: RunMessages;
  private readonly followed: FollowedRuns;
  private readonly unlisten: (() => void)[] = [];

  constructor(
    private readonly hub: Hub,
    private readonly limits: RunLimits = {},
    time: Time = REAL_TIME,
  ) {
    super();
    hub.requireHistory('SseRuns');
    const facts = { ...hub.facts, maxBytes: false as const };
    this.log = new SureLog(hub.log, facts, time);
    this.records = this.log.room(RUNS);
    this.slots = new Slots(this.log.room(SLOTS), this.records);
    this.entries = new RunEntries(this.records, time);
    const isRead = (id: string): boolean => this.followed.isRead(id);
    this.own = new OwnRuns(this.log, () => hub.facts, time, this.slots, isRead);
    const epoch = (): string => hub.delivery.head.epoch;
    this.lostRuns = new LostRuns(this.log, hub.log, time, this.own.lease, this.slots, epoch);
    this.messages = new RunMessages(hub.peers, (word, id, run) => this.heard(word, run));
    this.followed = new FollowedRuns(hub, this.entries, time, {
      has: (run) => this.own.has(run),
      tell: (word, id, record) => this.tell(word, id, record),
    });
    this.unlisten.push(
      hub.delivery.listen(RUNNERS, this.lostRuns),
      hub.delivery.listen(RUNS, {
        event: (event) => {
          this.followed.entryChanged(event);
          this.lostRuns.runChanged(event);
        },
        lost: () => this.followed.readAllAgain(),
        restart: () => {
          this.own.restart();
          this.followed.readAllAgain();
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
      const known = concurrency && existing === 'attach' && (await this.entries.get(id));
      if (known) return this.attach(id, kind, known);
      const begun = await this.own.underLease((address) =>
        this.begin(id, address, producer, { ...beginning, replaced: replaced?.position }),
      );
      if (begun !== undefined) return begun;
      if (existing === 'replace') continue;
      const other = await this.entries.get(id);
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
    const heard = this.entries.hear(id);
    const [entry, page] = await Promise.allSettled([
      this.entries.tryToSet(id, record, replaced),
      this.log.room<Page>(roomOf(id, record)).set(pageKey(0), FIRST_PAGE, FIRST_PAGE_TTL),
    ]);
    heard.end();
    const cursor = entry.status === 'fulfilled' ? entry.value : undefined;
    if (cursor === undefined || page.status === 'rejected') {
      if (cursor !== undefined) await this.lostRuns.end(id, record, cursor);
      else if (slot !== undefined) await this.slots.release(slot, run);
      for (const each of [entry, page]) if (each.status === 'rejected') throw each.reason;
      return undefined;
    }
    this.followed.begin(id, entryOf(record, cursor), heard.newest);
    this.own.begin(id, record, cursor, page.value, producer, maxBytes);
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
      const entry = await this.entries.get(id);
      if (entry === undefined) return undefined;
      if (entry.value.kind !== kind) throw ofOtherKind(id, entry.value.kind);
      if (!isOver(entry.value)) throw isRunning(id);
      if (entry.value.count !== undefined) return entry;
      await changed;
      changed = this.entries.nextChange(id);
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
        return new RunReader(() => this.followed.read(id, options), options, connection);
      },
    };
  }

  async stop(id: string): Promise<RunStatus> {
    checkRunId('stop(id)', id);
    const entry = await this.entries.get(id);
    if (entry === undefined) throw noRun(id);
    const { value: record } = entry;
    if (isOver(record)) {
      const remedy = 'there is nothing to stop; read its state with status()';
      throw refusal('over', `the run ${JSON.stringify(id)} has ended (${record.state}); ${remedy}`);
    }
    for (;;) {
      const changed = this.entries.nextChange(id);
      await this.tell('stop', id, record);
      await changed;
      const now = await this.entries.get(id);
      if (now === undefined || now.value.run !== record.run) throw noRun(id);
      if (isOver(now.value)) return statusOf(id, now.value, now.position);
    }
  }

  private async tell(word: Word, id: string, { run, peer }: RunRecord): Promise<void> {
    if (peer !== undefined) await this.messages.send(word, id, run, peer);
  }

  private heard(word: Word, run: string): void {
    if (word === 'stop') this.own.stop(run);
    else if (word === 'page') this.own.flush(run);
    else this.own.wasRead(run);
  }

  async status(id: string): Promise<RunStatus | undefined> {
    checkRunId('status(id)', id);
    const entry = await this.entries.get(id);
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
    this.messages.close();
    for (const unlisten of this.unlisten) unlisten();
    this.followed.close(new SseClosedError('the hub of the runs'));
    this.log.close();
  }
}
