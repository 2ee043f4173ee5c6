import { JobHistories, type JobHistory } from './job-histories.js';
import type { JobEvents } from './job-queue.js';
import type { QueueAccess } from './queue-access.js';
import { liveEvent, OF_JOBS, storedEvent } from './queue-event.js';
import type { LiveArgs, QueueEvent, StreamEntry } from './queue-event.js';
import { before, isAfter, parseStreamId, START, type StreamId } from './stream-id.js';

/** Who is told of events. */
export interface ViewOwner {
  event(event: QueueEvent): void;
  /** Events may be missing: the stream was trimmed before they were read. */
  lost(): void;
  /** Jobs were removed without an event for each. */
  cleaned(): void;
}

type Listener = [name: string, listener: (...args: unknown[]) => void];

const PAGE = 1_000;
/** After so many live events in one turn, others may have been deleted before they were read. */
const MANY = 100;

/**
 * The queue's stream of events as this process has read it: first what is in it, over the
 * connection of the `Queue`, then live, over that of `QueueEvents`. `QueueEvents` gives each event
 * after its first one, but it may have begun late: until it has given one, waiting events are read.
 */
export class QueueView {
  /** All events up to here were read; `undefined` while nobody needs them. */
  private position: StreamId | undefined;
  private readonly histories: JobHistories;
  private lastLive: StreamId | undefined;
  /** How many live events have come in this turn. */
  private inTurn = 0;
  private reading: Promise<void> | undefined;
  private next: Promise<void> | undefined;
  private readonly listeners: readonly Listener[];

  constructor(
    private readonly queue: Pick<QueueAccess, 'events'>,
    private readonly source: JobEvents,
    maxEvents: number,
    private readonly owner: ViewOwner,
  ) {
    this.histories = new JobHistories(maxEvents);
    const listenerOf =
      (type: string) =>
      (args: unknown, id: unknown): void =>
        this.live(liveEvent(type, args as LiveArgs, id as string));
    this.listeners = [
      ...OF_JOBS.map((type): Listener => [type, listenerOf(type)]),
      ['cleaned', () => owner.cleaned()],
      // Its connection was lost: it goes on where it was, but the stream may be trimmed by then.
      ['ioredis:close', () => (this.lastLive = undefined)],
    ];
    for (const [name, listener] of this.listeners) source.on(name, listener);
  }

  close(): void {
    for (const [name, listener] of this.listeners) this.source.off(name, listener);
    this.reset();
  }

  /** Forgets all events, until somebody needs them again. */
  reset(): void {
    this.position = undefined;
    this.histories.forget(START);
  }

  /** Whether live events follow without a hole on those that were read. */
  get isSure(): boolean {
    const { lastLive, position } = this;
    return lastLive !== undefined && position !== undefined && !isAfter(lastLive, position);
  }

  get end(): StreamId {
    return this.position ?? START;
  }

  /** The events of a job after `since`. */
  historyOf(id: string): Readonly<JobHistory> | undefined {
    return this.histories.of(id);
  }

  /** All events after this one are known, also of jobs without a history. */
  get since(): StreamId {
    return this.histories.since;
  }

  private live(event: QueueEvent | undefined): void {
    if (event === undefined) return;
    const wasSure = this.isSure;
    const { position } = this;
    if (this.inTurn++ === 0) queueMicrotask(() => this.endTurn(position));
    this.lastLive = event.id;
    if (this.position === undefined) return;
    if (wasSure) this.take(event);
    // A later reader reads it, if the queue does not answer now.
    else this.catchUp().catch(() => {});
  }

  /** A process that stalled may be further behind than the stream reaches. */
  private endTurn(read: StreamId | undefined): void {
    const { inTurn } = this;
    this.inTurn = 0;
    if (inTurn < MANY || read === undefined) return;
    this.checkStart(read).catch(() => {});
  }

  private async checkStart(read: StreamId): Promise<void> {
    const first = idOf((await this.queue.events(START, 1))[0]);
    if (first !== undefined && isAfter(first, read)) this.lose(this.end);
  }

  /** Resolves when all events were read that were written before this call. */
  async catchUp(): Promise<void> {
    if (this.reading === undefined) return this.start();
    // The running read may have begun before the newest event.
    return (this.next ??= this.reading
      .catch(() => {})
      .then(() => {
        this.next = undefined;
        return this.start();
      }));
  }

  private start(): Promise<void> {
    if (this.reading !== undefined) return this.catchUp();
    this.reading = this.read().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async read(): Promise<void> {
    for (;;) {
      const after = this.end;
      const live = this.lastLive;
      await this.readAfter(after);
      const { lastLive, end } = this;
      if (lastLive === undefined || !isAfter(lastLive, end)) return;
      // It came during the read, or the stream does not have it any more.
      if (live !== lastLive || isAfter(end, after)) continue;
      this.position = lastLive;
      this.lose(lastLive);
    }
  }

  private async readAfter(after: StreamId): Promise<void> {
    const isFirst = this.position === undefined;
    for (let last = after, isBegun = false; ; isBegun = true) {
      const page = await this.queue.events(last, PAGE);
      if (!isBegun) await this.begin(page, after, isFirst);
      for (const entry of page) this.takeEntry(entry);
      last = idOf(page.at(-1)) ?? last;
      if (page.length < PAGE) return;
    }
  }

  private async begin(
    page: readonly StreamEntry[],
    after: StreamId,
    isFirst: boolean,
  ): Promise<void> {
    if (isFirst) {
      const first = idOf(page[0]);
      this.position = first === undefined ? START : before(first);
      this.histories.forget(this.position);
    } else if (page.length > 0) {
      const first = idOf((await this.queue.events(START, 1))[0]);
      if (first === undefined || !isAfter(first, after)) return;
      // The stream was empty so far.
      if (after === START) this.histories.forget(before(first));
      else this.lose(before(first));
    }
  }

  private takeEntry(entry: StreamEntry): void {
    const event = storedEvent(entry);
    const id = event?.id ?? idOf(entry);
    if (event !== undefined) this.take(event);
    if (id !== undefined && this.position !== undefined && isAfter(id, this.position)) {
      this.position = id;
    }
  }

  private take(event: QueueEvent): void {
    if (this.position === undefined || !isAfter(event.id, this.position)) return;
    this.position = event.id;
    this.histories.add(event);
    this.owner.event(event);
  }

  /** Events before this one were not read. */
  private lose(from: StreamId): void {
    this.histories.forget(from);
    this.owner.lost();
  }
}

function idOf(entry: StreamEntry | undefined): StreamId | undefined {
  return entry && parseStreamId(entry[0]);
}
