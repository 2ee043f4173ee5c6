import type { EventEmitter } from 'node:events';

/**
 * A `Queue` of BullMQ.
 * @publicApi
 */
export interface JobQueue {
  readonly name: string;
  /** The key in Redis of a part of the queue. */
  toKey(type: string): string;
  /** Resolves with a job; `undefined` if there is none. */
  getJob(id: string): Promise<QueuedJob | undefined>;
  /** Resolves with the state of a job, or `unknown`. */
  getJobState(id: string): Promise<string>;
  /** Resolves with log lines of a job, and how many there are. */
  getJobLogs(id: string, start?: number, end?: number): Promise<{ logs: string[]; count: number }>;
  /** Removes a job that is not active. Resolves with 1 if it did. */
  remove(id: string): Promise<number>;
}

/**
 * The `QueueEvents` of BullMQ for the same queue.
 * @publicApi
 */
export interface JobEvents extends Pick<EventEmitter, 'on' | 'off'> {
  readonly name: string;
  /** The key in Redis of a part of the queue. */
  toKey(type: string): string;
}

/**
 * A `Worker` of BullMQ, as far as `listenForStops()` needs it.
 * @publicApi
 */
export interface JobWorker {
  readonly name: string;
  /** Aborts the signal of an active job. Returns whether it is active here. */
  cancelJob(id: string, reason?: string): boolean;
}

/**
 * A `Job` of BullMQ.
 * @publicApi
 */
export interface QueuedJob {
  readonly timestamp: number;
  readonly processedOn?: number | undefined;
  readonly finishedOn?: number | undefined;
  readonly progress: unknown;
  readonly returnvalue: unknown;
  readonly failedReason?: string | undefined;
  readonly opts: { readonly keepLogs?: number | undefined };
}
