import { HttpException } from '@nestjs/common';
import { preview, SseError } from '../ground/errors.js';

/**
 * A call of `SseRuns` was refused. `SseRuns` throws it as the `cause` of an `HttpException` with
 * this status.
 * @publicApi
 */
export class SseRunError extends SseError {
  constructor(
    /**
     * - `kind`: the id belongs to a run of another kind (409).
     * - `over`: the run has ended already (409).
     * - `running`: the run has not ended, so it cannot be replaced (409).
     * - `unknown`: there is no run with this id, or it is no longer kept (404).
     * - `busy`: `concurrency.max` runs with this key are running (429).
     * - `active`: the worker of a job has not stopped it (409).
     */
    readonly reason: 'kind' | 'over' | 'running' | 'unknown' | 'busy' | 'active',
    message: string,
  ) {
    super('SSE_RUN', message);
  }
}

const STATUS = { kind: 409, over: 409, running: 409, unknown: 404, busy: 429, active: 409 };

/** The exception that answers a request with the status of a refusal. */
export function refusal(reason: SseRunError['reason'], message: string): HttpException {
  const cause = new SseRunError(reason, message);
  const statusCode = STATUS[reason];
  return new HttpException({ statusCode, message, code: cause.code, reason }, statusCode, {
    cause,
  });
}

export function noRun(id: string): HttpException {
  const remedy = 'start it, or raise `keepMs` if it has ended';
  return refusal('unknown', `there is no run ${preview(id)}; ${remedy}`);
}

export function ofOtherKind(id: string, kind: string): HttpException {
  const remedy = 'choose another id, for example with the kind in it';
  return refusal(
    'kind',
    `the id ${JSON.stringify(id)} belongs to a run of the kind ${JSON.stringify(kind)}; ${remedy}`,
  );
}

export function isRunning(id: string): HttpException {
  const remedy = 'wait for its end, stop it, or attach to it';
  return refusal('running', `the run ${JSON.stringify(id)} has not ended; ${remedy}`);
}
