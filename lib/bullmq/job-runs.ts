import type { SseMessage } from '../wire/frame.js';
import type { JobFollowOptions, JobRunStatus } from './job-runs.options.js';

/**
 * A reader of a job, to return from a handler of `@SseStream()`.
 * @publicApi
 */
export interface JobStream extends AsyncIterable<SseMessage> {
  readonly id: string;
}

/**
 * The jobs of a queue as runs: `jobRuns()` makes it.
 * @publicApi
 */
export abstract class JobRuns {
  /**
   * Reads a job: its progress as messages of the type `progress`, the lines of its log as `log`
   * with `{ line }`, and its end as `run-end`. A newcomer gets what the queue still has of it, a
   * client that returns to any process what it has missed. A job that ended before anybody looked
   * is answered from its record.
   *
   * An id grants no access: guards of the route decide who may read a job. BullMQ's own ids count
   * from 1 and can be guessed.
   * @throws SseOptionsError. The stream fails with HttpException 204 or 404 if there is no such job
   */
  abstract follow(id: string, options?: JobFollowOptions): JobStream;

  /**
   * Stops a job. One that waits is removed, with its children, as `queue.remove()` does. For one
   * that is active, its worker is asked: BullMQ lets nobody else end it. For that, the worker's
   * process calls `listenForStops()`, and the processor heeds its `signal`. Resolves with the
   * state when the job has ended.
   * @throws HttpException, whose `cause` is an SseRunError: 404 for an unknown id, 409 if the job
   * has ended already, or no worker has stopped it within `stopMs`
   */
  abstract stop(id: string): Promise<JobRunStatus>;

  /** Resolves with the state of a job; `undefined` if the queue does not know it. */
  abstract status(id: string): Promise<JobRunStatus | undefined>;

  /**
   * Stops listening to `QueueEvents`, which it does not close. Call it when the app shuts down.
   */
  abstract close(): void;
}
