import type { HubEvent } from '../log/event.js';
import type { SseMessage } from '../wire/frame.js';
import type { RunProducer } from './production.js';
import type { FollowOptions, RunStatus, StartOptions } from './runs.options.js';

/**
 * A reader of a run, to return from a handler of `@SseStream()`: it gives the messages of the run
 * after the last event ID of the client, then live ones, then the end. Slow clients cost nothing:
 * the connection pulls what its client takes.
 * @publicApi
 */
export interface RunStream extends AsyncIterable<SseMessage> {
  readonly id: string;
  /** Whether this call of `start()` has started the run. */
  readonly isNew: boolean;
}

/**
 * Runs: work that outlives its connections, such as the answer of a model, an agent or an export. A
 * run has one producer over all processes and any number of readers, who each get all of it, from
 * its beginning, in any process and after any reload. `SseRunsModule` provides it.
 * @example
 * ```ts
 * constructor(private readonly runs: SseRuns) {}
 *
 * @SseStream('answers/:id', { method: RequestMethod.POST, onComplete: 'close' })
 * answer(@Param('id') id: string, @Body() ask: Ask) {
 *   return this.runs.start(id, (signal) => this.model.complete(ask, { signal }));
 * }
 *
 * @SseStream('answers/:id', { onComplete: 'close' })
 * follow(@Param('id') id: string) {
 *   return this.runs.follow(id);
 * }
 *
 * @Post('answers/:id/stop')
 * stop(@Param('id') id: string) {
 *   return this.runs.stop(id);
 * }
 * ```
 * @publicApi
 */
export abstract class SseRuns {
  /** Makes objects with the same members not assignable: only the library creates it. */
  declare private readonly isOurs: true;

  /**
   * Starts a run, or attaches to the one with this id, also to one that has ended and is still
   * kept. `producer` is called once over all processes, in this one. It goes on when readers leave;
   * its `signal` is aborted by `stop()`. If it throws before its first message, readers get the
   * status of an `HttpException`; later, `run-end` with the state `failed`.
   *
   * An id grants no access: guards of the route decide who may start, read and stop.
   * @param id 1 to 128 characters without line breaks
   * @throws HttpException, whose `cause` is an SseRunError: 409 for an id that belongs to another
   * kind, or to a running run that `existing: 'replace'` would replace, 429 at `concurrency.max`;
   * SseOptionsError; SseClosedError; SseLimitError at
   * `state.maxKeys` runs or `state.maxBytes` of their text
   */
  abstract start(id: string, producer: RunProducer, options?: StartOptions): Promise<RunStream>;

  /**
   * Reads a run. If there is none, the request is answered with 204, which makes an `EventSource`
   * stop.
   * @throws SseOptionsError. The stream fails with HttpException 204 or 404 if there is no such run
   */
  abstract follow(id: string, options?: FollowOptions): RunStream;

  /**
   * Stops a run, in whatever process it is. Resolves with its state when it has ended. If its
   * process has died, this is when its lease has run out: after at most 15 s.
   * @throws HttpException, whose `cause` is an SseRunError: 404 for an unknown id, 409 if the run
   * has ended already
   */
  abstract stop(id: string): Promise<RunStatus>;

  /** Resolves with the state of a run; `undefined` if there is none, or it is no longer kept. */
  abstract status(id: string): Promise<RunStatus | undefined>;

  /** Resolves with all runs that are running or kept, of all processes, the oldest first. */
  abstract list(filter?: { kind?: string }): Promise<RunStatus[]>;
}

/** What a reader gives. */
export type RunItem = HubEvent | SseMessage;
