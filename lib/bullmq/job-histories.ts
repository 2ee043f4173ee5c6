import { isJobEnd, isJobState, isRemovalOfEnded, STOP, type QueueEvent } from './queue-event.js';
import { before, START, type StreamId } from './stream-id.js';

/** The events of one job that this process has. */
export interface JobHistory {
  /** All later events of the job are here. */
  since: StreamId;
  readonly events: QueueEvent[];
  /** The last event that ended the job; `undefined` if it runs, or waits for another attempt. */
  end: QueueEvent | undefined;
  /** Whether its events say if it has ended. If not, its record does. */
  isKnown: boolean;
  /** Whether its worker was asked to stop. */
  isStopping: boolean;
}

/** The newest events of a queue, by job. */
export class JobHistories {
  /** All events after this one are here, also of jobs that have none. */
  since: StreamId = START;
  private readonly jobs = new Map<string, JobHistory>();
  /** All events, the oldest first. */
  private order: { readonly history: JobHistory; readonly event: QueueEvent }[] = [];
  private oldest = 0;

  constructor(private readonly max: number) {}

  of(id: string): Readonly<JobHistory> | undefined {
    return this.jobs.get(id);
  }

  add(event: QueueEvent): void {
    const { jobId, type } = event;
    let history = this.jobs.get(jobId);
    if (isRemovalOfEnded(event) || (type === 'removed' && history?.end !== undefined)) {
      this.jobs.delete(jobId);
      return;
    }
    if (history === undefined || type === 'added') {
      const since = type === 'added' ? before(event.id) : this.since;
      history = { since, events: [], end: undefined, isKnown: false, isStopping: false };
      this.jobs.set(jobId, history);
    }
    history.events.push(event);
    if (type === STOP) history.isStopping = true;
    // Another attempt: nobody has asked this one to stop.
    if (type === 'active') history.isStopping = false;
    if (isJobState(event) || isJobEnd(event)) {
      history.isKnown = true;
      history.end = isJobEnd(event) ? event : undefined;
    }
    this.order.push({ history, event });
    if (this.order.length - this.oldest > this.max) this.dropOldest();
  }

  private dropOldest(): void {
    const { history, event } = this.order[this.oldest++]!;
    if (this.oldest > this.max) {
      this.order = this.order.slice(this.oldest);
      this.oldest = 0;
    }
    this.since = event.id;
    history.events.shift();
    history.since = event.id;
    const isCurrent = this.jobs.get(event.jobId) === history;
    if (isCurrent && history.events.length === 0) this.jobs.delete(event.jobId);
  }

  /** Drops all events: those after `since` come next. */
  forget(since: StreamId): void {
    this.jobs.clear();
    this.order = [];
    this.oldest = 0;
    this.since = since;
  }
}
