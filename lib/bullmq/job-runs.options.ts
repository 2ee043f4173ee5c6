import type { SseConnection } from '../connection/sse-connection.js';
import * as rules from '../options/rules.js';
import type { SseMessage } from '../wire/frame.js';
import type { RunFailure, RunState } from '../runs/runs.options.js';

/**
 * The options of `jobRuns()`: what readers get of a job.
 * @publicApi
 */
export interface JobRunsOptions {
  /**
   * Whether readers get the lines of `job.log()`, as messages of the type `log`. BullMQ has no
   * event for them: they are read before each progress and each end, and every `pollMs` while a job
   * that somebody reads is active.
   * @default true
   */
  logs?: boolean;
  /**
   * How often lines are read, and events until `QueueEvents` has given the first, in milliseconds.
   * @default 1_000
   */
  pollMs?: number;
  /**
   * Whether readers get a message of the type `state` when the job waits, is delayed, active, or
   * has stalled because its worker is gone.
   * @default false
   */
  states?: boolean;
  /**
   * Makes the `result` that readers get at the end from what the worker returned.
   * @default none: return values stay in the queue
   */
  result?: (returnValue: unknown) => unknown;
  /**
   * Makes the message that readers get from the reason of a failure: the text of what the worker
   * threw, which may hold secrets.
   * @default 'Internal server error'
   */
  reason?: (failedReason: string) => string;
  /**
   * How many events of the queue this process keeps in memory, and how many messages of a job.
   * @default 10_000, as many as BullMQ keeps
   */
  maxEvents?: number;
  /**
   * How long `stop()` waits for the worker of an active job, in milliseconds.
   * @default 5_000
   */
  stopMs?: number;
}

/**
 * The options of `JobRuns.follow()`.
 * @publicApi
 */
export interface JobFollowOptions {
  /**
   * Turns each message of the job into the one that the client gets. Keep its id, or the client
   * returns without one and gets the job from its beginning.
   * @default the message
   */
  map?: (message: SseMessage) => SseMessage;
  /**
   * The message that tells the end, or `undefined` for none.
   * @default `run-end` with the state, the error of a failed job, and the `result`
   */
  end?: (status: JobRunStatus) => SseMessage | undefined;
  /**
   * The status of the answer if the queue knows no such job. 204 makes an `EventSource` stop.
   * @default 204
   */
  none?: 204 | 404;
  /**
   * The connection that reads the job. Set it if you subscribe outside the handler's call.
   * @default the connection whose handler runs
   */
  connection?: SseConnection;
}

/**
 * What a job is doing, as a run.
 * @publicApi
 */
export interface JobRunStatus {
  readonly id: string;
  /**
   * - `running`: it waits, or a worker works on it.
   * - `finished`: it has completed.
   * - `failed`: no attempt is left.
   * - `stopped`: it was removed, or has failed after `stop()`.
   */
  readonly state: Exclude<RunState, 'lost'>;
  /** The last progress; `undefined` if there was none, or the record is gone. */
  readonly progress?: unknown;
  /** When it was added, in milliseconds since 1970; absent if its record is gone. */
  readonly addedAt?: number;
  /** When it ended, in milliseconds since 1970; absent while it runs. */
  readonly endedAt?: number;
  /** Why it has failed, as its readers see it. */
  readonly error?: RunFailure;
  /** What the option `result` made from what the worker returned. */
  readonly result?: unknown;
}

/** The defaults of `JobRunsOptions`. */
export const JOB_RUN_DEFAULTS: Readonly<
  Required<Pick<JobRunsOptions, 'logs' | 'pollMs' | 'states' | 'maxEvents' | 'stopMs'>>
> = Object.freeze({
  logs: true,
  pollMs: 1_000,
  states: false,
  maxEvents: 10_000,
  stopMs: 5_000,
});

export type JobRunSettings = JobRunsOptions & typeof JOB_RUN_DEFAULTS;

/** @throws SseOptionsError */
export const checkJobRunsOptions = rules.object({
  logs: rules.trueOrFalse,
  pollMs: rules.durationMs,
  states: rules.trueOrFalse,
  result: rules.aFunction,
  reason: rules.aFunction,
  maxEvents: rules.positiveInteger,
  stopMs: rules.durationMs,
});

/** @throws SseOptionsError */
export const checkJobFollowOptions = rules.object({
  map: rules.aFunction,
  end: rules.aFunction,
  none: rules.rule('204 or 404', (value) => value === 204 || value === 404),
  connection: rules.anyValue,
});

const hasMethods =
  (...names: string[]) =>
  (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');

/** @throws SseOptionsError */
export const checkQueue = rules.required(
  rules.rule('a Queue of bullmq', hasMethods('getJob', 'getJobLogs', 'toKey')),
);
/** @throws SseOptionsError */
export const checkQueueEvents = rules.required(
  rules.rule('the QueueEvents of bullmq', hasMethods('on', 'off', 'toKey')),
);
/** @throws SseOptionsError */
export const checkWorker = rules.required(
  rules.rule('a Worker of bullmq that has cancelJob()', hasMethods('cancelJob')),
);
