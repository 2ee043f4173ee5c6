import type { Stream } from '../connection/stream.js';
import type { SseMessage } from '../wire/frame.js';
import { SseClosedError } from '../ground/errors.js';
import { formatJobCursor, parseJobCursor, type JobCursor } from './job-cursor.js';
import type { JobFollowOptions, JobRunStatus } from './job-runs.options.js';
import { isAfter, laterOf, START, type StreamId } from './stream-id.js';
import type { FollowedJob } from './followed-job.js';
import type { TimelineItem } from './timeline.js';

/** What a reader reads: the job, kept in this process as long as somebody does. */
export interface ReadJob {
  readonly job: FollowedJob;
  /** Resolves with whether the queue's events have reached this one. */
  hasReached(at: StreamId): Promise<boolean>;
  /** The reader has left. */
  release(): void;
}

/** One reader of a job. The connection pulls from it. */
export class JobReader implements AsyncIterator<SseMessage> {
  private read: ReadJob | undefined;
  private no = 0;
  /** What the client has. */
  private has: JobCursor = { added: 0, at: START, lines: 0 };
  /** Whether the client has all events up to its cursor. */
  private isExact = false;
  private isDone = false;

  constructor(
    private readonly open: () => Promise<ReadJob>,
    private readonly options: JobFollowOptions,
    private readonly connection: Stream | undefined,
  ) {}

  async next(): Promise<IteratorResult<SseMessage>> {
    while (!this.isDone) {
      const { job } = this.read ?? (await this.begin());
      if (this.isDone) break;
      const { timeline } = job;
      if (this.no < timeline.start) {
        this.no = timeline.start;
        this.sendGap('overflow');
      }
      const item = timeline.item(this.no);
      if (item !== undefined) {
        this.no++;
        const message = this.messageOf(item);
        if (message !== undefined) return { done: false, value: message };
        continue;
      }
      const { end } = timeline;
      if (end === undefined) {
        if (!timeline.isGone) await timeline.changed;
        // Not an end: the client comes back.
        else throw this.lost();
        continue;
      }
      this.leave();
      const last = this.endOf(end);
      if (last !== undefined) return { done: false, value: last };
    }
    this.leave();
    return { done: true, value: undefined };
  }

  return(): Promise<IteratorResult<SseMessage>> {
    this.leave();
    return Promise.resolve({ done: true, value: undefined });
  }

  private async begin(): Promise<ReadJob> {
    const opened = this.open();
    // Until then it may be answered with a status.
    this.connection?.opening?.hold(opened.catch(() => {}));
    const read = await opened;
    this.read = read;
    if (this.isDone) read.release();
    else {
      await this.place(read);
      this.begins();
    }
    return read;
  }

  /** At the oldest message, from which on it skips what the client has. */
  private begins(): void {
    const { timeline } = this.read!.job;
    const { start, dropped } = timeline;
    this.no = start;
    if (dropped === undefined) return;
    const hasIt = !isAfter(dropped.at, this.has.at) && dropped.lines <= this.has.lines;
    if (!hasIt) this.sendGap('overflow');
  }

  private leave(): void {
    if (this.isDone) return;
    this.isDone = true;
    this.read?.release();
  }

  /** Where the client goes on. */
  private async place(read: ReadJob): Promise<void> {
    const { job } = read;
    const text = this.connection?.lastEventId ?? '';
    if (text === '') return;
    const brought = parseJobCursor(text);
    const isSame = brought?.added === job.added || brought?.added === 0 || job.added === 0;
    if (brought === undefined || !isSame) return this.sendGap('unknown');
    // It may come from a process that is ahead of this one.
    if (brought.lines > job.lines) await job.readLines();
    if (!(await read.hasReached(brought.at)) || brought.lines > job.lines) {
      return this.sendGap('unknown');
    }
    this.has = brought;
    this.isExact = !isAfter(job.since, brought.at);
    if (!this.isExact) this.sendGap('trimmed');
  }

  private sendGap(reason: string): void {
    const { connection, read } = this;
    if (connection === undefined || connection.state === 'closed') return;
    connection.sendControl('sse-gap', { rooms: [read?.job.id], reason });
  }

  /** `undefined` for one that the client has. */
  private messageOf({ kind, at, lines, message }: TimelineItem): SseMessage | undefined {
    const { has } = this;
    if (message === undefined) {
      const isPast = isAfter(has.at, at) || has.lines > lines;
      if (!isPast) this.sendGap('trimmed');
      return undefined;
    }
    if (kind === 'record' && this.isExact) return undefined;
    if (kind === 'line' && lines <= has.lines) return undefined;
    if (kind === 'event' && !isAfter(at, has.at)) return undefined;
    const added = this.read?.job.added ?? 0;
    this.has = { added, at: laterOf(at, has.at), lines: Math.max(lines, has.lines) };
    const sent = { ...message, id: formatJobCursor(this.has) };
    return this.options.map?.(sent) ?? sent;
  }

  private lost(): SseClosedError {
    this.leave();
    return new SseClosedError(`The stream of the job ${this.read?.job.id}`);
  }

  private endOf(status: JobRunStatus): SseMessage | undefined {
    const { end } = this.options;
    if (end !== undefined) return end(status);
    const { state, error, result } = status;
    const data = { state, ...(error && { error }), ...(result !== undefined && { result }) };
    return { type: 'run-end', data };
  }
}
