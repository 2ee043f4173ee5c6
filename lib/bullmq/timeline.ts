import { Deferred } from '../ground/deferred.js';
import type { SseMessage } from '../wire/frame.js';
import type { JobRunStatus } from './job-runs.options.js';
import type { StreamId } from './stream-id.js';

/** A message of a job, with what a client has that has it and all messages before it. */
export interface TimelineItem {
  readonly at: StreamId;
  readonly lines: number;
  /** `undefined` where something is missing: the reader is told a gap. */
  readonly message: Pick<SseMessage, 'type' | 'data'> | undefined;
  /**
   * - `event`: a client has it that has everything up to `at`.
   * - `line`: a client has it that has as many lines.
   * - `record`: the progress of the record, for clients that miss the events before it.
   * - `gap`: something is missing.
   */
  readonly kind: 'event' | 'line' | 'record' | 'gap';
}

/**
 * The messages of a job in this process. All of its readers read this one list, each at its own
 * place, so a slow reader holds back nothing and keeps nothing.
 */
export class Timeline {
  private items: TimelineItem[] = [];
  private first = 0;
  /** The newest item that is not kept any more. */
  dropped: TimelineItem | undefined;
  /** How the job has ended; `undefined` again if somebody starts it again. */
  end: JobRunStatus | undefined;
  /** It cannot be read any more: another job has the id, or the queue does not answer. */
  isGone = false;
  private next = new Deferred<void>();

  constructor(private readonly max: number) {}

  /** The number of the oldest item that is kept. */
  get start(): number {
    return this.first;
  }

  item(no: number): TimelineItem | undefined {
    return this.items[no - this.first];
  }

  push(item: TimelineItem): void {
    this.items.push(item);
    if (this.items.length >= 2 * this.max) {
      this.dropped = this.items.at(-this.max - 1);
      this.first += this.items.length - this.max;
      this.items = this.items.slice(-this.max);
    }
    this.wake();
  }

  finish(end: JobRunStatus | undefined): void {
    this.end = end;
    this.wake();
  }

  leave(): void {
    this.isGone = true;
    this.wake();
  }

  /** Resolves at the next change. */
  get changed(): Promise<void> {
    return this.next.promise;
  }

  private wake(): void {
    this.next.resolve();
    this.next = new Deferred<void>();
  }
}
