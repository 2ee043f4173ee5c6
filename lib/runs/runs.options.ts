import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { SseConnection } from '../connection/sse-connection.js';
import type { SseMessage } from '../wire/frame.js';
import { checkState, type StateOptions } from '../log/state.options.js';
import * as rules from '../options/rules.js';

/**
 * The limits of runs: defaults in `SseRunsModule.forRoot()`, own ones in `SseRuns.start()`.
 * @publicApi
 */
export interface RunLimits {
  /**
   * How long a run can be read after its end, in milliseconds, whatever `history` says.
   * @default 300_000
   */
  keepMs?: number;
  /**
   * The maximum size of all messages of a run, in bytes of wire text. A run that gets longer fails.
   * The process that runs it keeps as much in memory.
   * @default 1_048_576
   */
  maxBytes?: number;
  /**
   * Stops a run that nobody has read for this time, in milliseconds. `false`: readers may leave.
   * @default false
   */
  abandonAfterMs?: number | false;
}

/**
 * The options of `SseRunsModule.forRoot()`.
 * @publicApi
 */
export interface SseRunsOptions extends RunLimits {
  /**
   * The name of the hub that keeps the runs. It is a hub of its own, so other hubs pay nothing.
   * @default 'runs'
   */
  hub?: string;
  /**
   * How much is kept: `maxKeys` runs, and `maxBytes` of their messages. At a limit, `start()`
   * rejects with `SSE_LIMIT`; no run is dropped.
   * @default 10_000 runs and 67_108_864 bytes
   */
  state?: StateOptions;
}

/**
 * The options of `SseRuns.start()`.
 * @publicApi
 */
export interface StartOptions extends RunLimits {
  /**
   * What the run is, such as `answer` or `export`. An id belongs to one kind.
   * @default 'run'
   */
  kind?: string;
  /**
   * At most `max` runs with this key at the same time over all processes, for example one per user.
   * A further `start()` is refused with 429.
   * @default none: any number
   */
  concurrency?: { key: string; max?: number };
  /**
   * What happens if there is a run with this id.
   * - `attach`: the caller reads it, whether or not it has ended.
   * - `replace`: a new run takes the place of one that has ended, whose readers still get its end.
   *   While it is running, the call is refused with 409.
   * @default 'attach'
   */
  existing?: 'attach' | 'replace';
}

/**
 * The options of `SseRuns.follow()`.
 * @publicApi
 */
export interface FollowOptions {
  /** The kind that the run must be of. Any other counts as no run. */
  kind?: string;
  /**
   * Where to begin: after this many messages. `0`: at the beginning, also for a client that
   * returns.
   * @default after the last event ID of the connection; at the beginning without one
   */
  after?: number;
  /**
   * Turns each message of the run into the one that the client gets. `index` counts from 0. Give it
   * an id, or the client returns without one and gets the run from its beginning.
   * @default the message, with its cursor as the id
   */
  map?: (message: SseMessage, index: number) => SseMessage;
  /**
   * The messages that tell the end, in their order, or `undefined` for none.
   * @default `run-end` with the state, and for a failed run the error that the client may see
   */
  end?: (status: RunStatus) => SseMessage | readonly SseMessage[] | undefined;
  /**
   * The status of the answer if there is no such run. 204 makes an `EventSource` stop.
   * @default 204
   */
  none?: 204 | 404;
  /**
   * The connection that reads the run. Set it if you subscribe outside the handler's call.
   * @default the connection whose handler runs
   */
  connection?: SseConnection;
}

/**
 * What a run is doing, or how it has ended.
 * - `running`: its producer works.
 * - `finished`: the producer has completed.
 * - `stopped`: by `stop()`, or because nobody has read it for `abandonAfterMs`.
 * - `failed`: the producer has thrown, or the run got longer than `maxBytes`.
 * - `lost`: the process of the producer has died, or has shut down.
 * @publicApi
 */
export type RunState = 'running' | 'finished' | 'stopped' | 'failed' | 'lost';

/**
 * The state of a run, in `SseRuns.status()`.
 * @publicApi
 */
export interface RunStatus {
  readonly id: string;
  readonly kind: string;
  readonly state: RunState;
  /** The cursor of the event that has set this state. */
  readonly position: string;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  /** In milliseconds since 1970; absent while it runs. */
  readonly endedAt?: number;
  /** What readers get to know of the failure. Errors that are no `HttpException` hide theirs. */
  readonly error?: RunFailure;
}

/**
 * Why a run has failed, as its readers see it.
 * @publicApi
 */
export interface RunFailure {
  readonly statusCode: number;
  readonly message: string;
  readonly code?: string;
}

/** The defaults of `RunLimits`. */
export const RUN_DEFAULTS: Readonly<Required<RunLimits>> = Object.freeze({
  keepMs: 300_000,
  maxBytes: 1_048_576,
  abandonAfterMs: false,
});

const limits = {
  keepMs: rules.durationMs,
  maxBytes: rules.positiveInteger,
  abandonAfterMs: rules.orFalse(rules.durationMs),
};

/** @throws SseOptionsError */
export const checkRunsOptions = rules.object({ ...limits, hub: rules.aText, state: checkState });

const shortText = rules.rule(
  'a text of 1 to 128 characters without line breaks',
  (value) => typeof value === 'string' && /^[^\r\n\0]{1,128}$/.test(value),
);

/** @throws SseOptionsError */
export const checkRunId = rules.required(shortText);

/** @throws SseOptionsError */
export const checkStartOptions = rules.object({
  ...limits,
  kind: shortText,
  concurrency: rules.object({ key: rules.required(shortText), max: rules.positiveInteger }),
  existing: rules.oneOf('attach', 'replace'),
});

/** @throws SseOptionsError */
export const checkFollowOptions = rules.object({
  kind: shortText,
  after: rules.rule(
    'an integer of at least 0',
    (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  ),
  map: rules.aFunction,
  end: rules.aFunction,
  none: rules.rule('204 or 404', (value) => value === 204 || value === 404),
  connection: rules.anyValue,
});

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<SseRunsOptions>({ moduleName: 'SseRuns' })
    .setClassMethodName('forRoot')
    .setExtras({ isGlobal: true }, (definition, { isGlobal }) => ({
      ...definition,
      global: isGlobal,
    }))
    .build();
