import type { JobHistory } from './job-histories.js';
import { JobLog } from './job-log.js';
import type { JobRunSettings, JobRunStatus } from './job-runs.options.js';
import { statusOfEnd, statusOfRecord } from './job-status.js';
import type { JobRecord, QueueAccess } from './queue-access.js';
import { isJobEnd, isJobState, STOP, type QueueEvent } from './queue-event.js';
import type { QueueView } from './queue-view.js';
import { laterOf, type StreamId } from './stream-id.js';
import { Timeline, type TimelineItem } from './timeline.js';

/** A job that somebody reads in this process. */
export class FollowedJob {
  readonly timeline: Timeline;
  /** When the job was added; 0 if its record was gone when it was first read. */
  added = 0;
  /** A client that has everything up to here misses no event. */
  since: StreamId;
  readers = 0;
  /** Cancels the end of the following. */
  cancelEnd: (() => void) | undefined;
  private at: StreamId;
  private progress: unknown;
  private log: JobLog | undefined;
  /** Events that wait for the lines before them; `undefined` until the history is there. */
  private pending: QueueEvent[] | undefined;
  private isStopping = false;
  private isActive = false;
  private loading: Promise<boolean> | undefined;
  private pumping: Promise<void> | undefined;

  constructor(
    readonly id: string,
    private readonly queue: QueueAccess,
    private readonly view: QueueView,
    private readonly options: JobRunSettings,
  ) {
    this.timeline = new Timeline(options.maxEvents);
    this.since = this.at = view.end;
  }

  /** Resolves with whether there is such a job, when its messages up to now are there. */
  load(): Promise<boolean> {
    return (this.loading ??= this.begin(false));
  }

  private async begin(isAgain: boolean): Promise<boolean> {
    const found = await this.find();
    if (found === undefined) return false;
    const { record, history } = found;
    this.added = record?.timestamp ?? this.added;
    this.progress = record?.progress;
    if (record !== undefined) this.isActive = record.state === 'active';
    if (!isAgain) {
      this.since = this.at = history?.since ?? this.view.since;
      this.log = new JobLog(this.queue, this.id, record?.opts.keepLogs);
    } else this.push({ kind: 'gap', message: undefined });
    // No await from the look at the history to here: events from now on are pending.
    this.pending = [...(history?.events ?? [])];
    this.isStopping = false;
    const { end } = this.view;
    const hasProgress = this.pending.some(({ type }) => type === 'progress');
    await this.pumpSurely();
    if (!hasProgress && record !== undefined) this.pushRecord(record, end, history);
    return true;
  }

  /** What is older than the events that the view has: the record knows it. */
  private pushRecord(record: JobRecord, at: StreamId, history: JobHistory | undefined): void {
    const { progress } = record;
    const isComplete = history?.events[0]?.type === 'added';
    // 0 is also what BullMQ says of a job that has told none.
    if (progress !== undefined && progress !== 0 && !isComplete) {
      this.at = laterOf(this.at, at);
      this.push({ kind: 'record', message: { type: 'progress', data: progress } });
    }
    if (history?.isKnown === true) return;
    const status = statusOfRecord(this.id, record, this.options);
    if (status.state !== 'running') this.timeline.finish(status);
  }

  private async find(): Promise<{ record?: JobRecord; history?: JobHistory } | undefined> {
    for (let isAgain = false; ; isAgain = true) {
      const record = await this.queue.record(this.id);
      // What the record says is in the events up to here, if they are not too old.
      await this.view.catchUp();
      const history = this.view.historyOf(this.id);
      if (record !== undefined) return { record, ...(history && { history }) };
      if (history === undefined) return undefined;
      // BullMQ removes it at its end, if `removeOnComplete` or `removeOnFail` says so.
      if (history.end !== undefined) return { history };
      if (isAgain) return undefined;
    }
  }

  /** An event of this job that was just read. */
  event(event: QueueEvent): void {
    // Not there yet: it will be in the history.
    if (this.pending === undefined) return;
    // Another job with the id of one that was removed.
    if (event.type === 'added') return this.timeline.leave();
    this.pending.push(event);
    this.pump();
  }

  /** The view has lost events. */
  lost(): void {
    if (this.pending === undefined) return;
    this.pending = undefined;
    this.begin(true).then(
      (isThere) => !isThere && this.gone(),
      () => this.timeline.leave(),
    );
  }

  /** Time to read lines, which have no event. */
  poll(): void {
    if (this.pending !== undefined && (this.isActive || this.pending.length > 0)) this.pump();
  }

  /** Ends it if its record says so, or is gone: not each removal has an event. */
  async check(): Promise<void> {
    if (this.isOverHere) return;
    const record = await this.queue.record(this.id);
    if (record !== undefined && record.state !== 'completed' && record.state !== 'failed') return;
    await this.view.catchUp();
    if (this.isOverHere || this.view.historyOf(this.id)?.end !== undefined) return;
    if (record === undefined) this.gone();
    else this.lost();
  }

  /** Whether it has ended, or is about to be read again. */
  private get isOverHere(): boolean {
    return this.timeline.end !== undefined || this.pending === undefined;
  }

  private gone(): void {
    this.timeline.finish({ id: this.id, state: 'stopped', endedAt: Date.now() });
  }

  /** Reads the lines that are there now. */
  readLines(): Promise<void> {
    return this.pumpSurely();
  }

  get lines(): number {
    return this.log?.count ?? 0;
  }

  private pump(): void {
    // The next poll tries again.
    this.pumpSurely().catch(() => {});
  }

  /** Resolves when the events up to now are in the timeline, and the lines before them. */
  private async pumpSurely(): Promise<void> {
    while (this.pumping !== undefined) await this.pumping.catch(() => {});
    this.pumping = this.move().finally(() => (this.pumping = undefined));
    return this.pumping;
  }

  private async move(): Promise<void> {
    do {
      const count = this.pending?.length ?? 0;
      if (this.options.logs) await this.moveLines();
      // Later events may have lines before them that were not read.
      for (const event of this.pending?.splice(0, count) ?? []) this.accept(event);
    } while ((this.pending?.length ?? 0) > 0);
  }

  private async moveLines(): Promise<void> {
    const isCut = await this.log?.read((line) =>
      this.push({ kind: 'line', message: { type: 'log', data: { line } } }),
    );
    if (isCut === true) this.push({ kind: 'gap', message: undefined });
  }

  private accept(event: QueueEvent): void {
    const { type, data } = event;
    this.at = laterOf(this.at, event.id);
    if (type === 'progress') {
      this.progress = data;
      this.push({ kind: 'event', message: { type, data } });
    } else if (type === STOP) this.isStopping = true;
    else if (isJobEnd(event)) this.finish(event);
    else {
      if (type === 'active') this.isStopping = false;
      if (isJobState(event)) {
        this.isActive = type === 'active';
        if (this.timeline.end !== undefined) this.timeline.finish(undefined);
      }
      if (this.options.states && type !== 'added') {
        this.push({ kind: 'event', message: { type: 'state', data: { state: type } } });
      }
    }
  }

  private finish(event: QueueEvent): void {
    this.isActive = false;
    // Its record was removed after its end.
    if (event.type === 'removed' && this.timeline.end !== undefined) return;
    this.timeline.finish(statusOfEnd(event, this.facts(), this.isStopping, this.options));
  }

  private facts(): Pick<JobRunStatus, 'progress' | 'addedAt'> {
    return { progress: this.progress, ...(this.added > 0 && { addedAt: this.added }) };
  }

  private push(item: Pick<TimelineItem, 'kind' | 'message'>): void {
    this.timeline.push({ ...item, at: this.at, lines: this.lines });
  }
}
