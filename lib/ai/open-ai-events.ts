import { BadRequestException } from '@nestjs/common';
import { preview, SseInvalidFieldError } from '../ground/errors.js';
import type { RunSource } from '../runs/production.js';
import type { FollowOptions, RunStatus, StartOptions } from '../runs/runs.options.js';
import type { RunStream, SseRuns } from '../runs/sse-runs.js';
import type { SseMessage } from '../wire/frame.js';
import { messagesOf, withoutId } from './messages.js';

/**
 * An event of a response, as OpenAI's Responses API has them: `ResponseStreamEvent` of `openai`. It
 * needs no `sequence_number`: each event of a run gets its own, from 0.
 * @publicApi
 */
export interface OpenAiEvent {
  readonly type: string;
}

/**
 * The events of a response: an AsyncIterable, such as what `openai.responses.create({ stream: true
 * })` resolves with, or an Observable.
 * @publicApi
 */
export type OpenAiSource = RunSource;

/**
 * Produces the events of a response. Pass the signal on: it is aborted when the run is stopped.
 * @publicApi
 */
export type OpenAiProducer = (signal: AbortSignal) => OpenAiSource | Promise<OpenAiSource>;

/**
 * The options of `followOpenAiEvents()`.
 * @publicApi
 */
export interface FollowOpenAiOptions extends Pick<FollowOptions, 'kind' | 'connection'> {
  /**
   * The query parameter `starting_after`: the `sequence_number` of the last event that the client
   * has.
   * @default from the beginning
   */
  startingAfter?: string | number | undefined;
}

const EXPECTED = 'a stream of events with a `type`, such as those of openai.responses.create()';

/**
 * Starts a run whose messages are the events of a response, and reads it. Return it from a handler
 * of `@OpenAiStream()`. A run with this id that is there already is read instead.
 * @throws What `SseRuns.start()` throws. A source of anything but events makes the run fail
 * @example
 * ```ts
 * return startOpenAiEvents(this.runs, id, (signal) =>
 *   openai.responses.create({ model, input, stream: true }, { signal }),
 * );
 * ```
 * @publicApi
 */
export async function startOpenAiEvents(
  runs: SseRuns,
  id: string,
  producer: OpenAiProducer,
  options: StartOptions = {},
): Promise<RunStream> {
  const { kind } = options;
  const events = async (signal: AbortSignal): Promise<RunSource> =>
    eventsOf(await producer(signal));
  await runs.start(id, events, options);
  return followOpenAiEvents(runs, id, { kind });
}

/**
 * Reads the events of a response after `starting_after`, then live ones. Return it from a handler
 * of `@OpenAiStream()`. If there is no such run, the request is answered with 404. A run that was
 * stopped, has failed, or whose process has died, ends with an event `error`.
 * @throws BadRequestException for a wrong `starting_after`; SseOptionsError
 * @example
 * ```ts
 * @OpenAiStream('responses/:id')
 * retrieve(@Param('id') id: string, @Query('starting_after') startingAfter?: string) {
 *   return followOpenAiEvents(this.runs, id, { startingAfter });
 * }
 * ```
 * @publicApi
 */
export function followOpenAiEvents(
  runs: SseRuns,
  id: string,
  { startingAfter, ...options }: FollowOpenAiOptions = {},
): RunStream {
  const after = startingAfter === undefined ? 0 : numberOf(startingAfter) + 1;
  let next = after;
  return runs.follow(id, {
    ...options,
    after,
    none: 404,
    map: (message, index) => {
      next = index + 1;
      return withoutId(message);
    },
    end: (status) => endOf(status, next),
  });
}

/** @throws BadRequestException */
function numberOf(startingAfter: unknown): number {
  const text = String(startingAfter);
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number + 1)) return number;
  const message = `starting_after: expected the sequence_number of an event, got ${preview(startingAfter)}`;
  const error = { message, type: 'invalid_request_error', param: 'starting_after', code: null };
  throw new BadRequestException({ statusCode: 400, message, error });
}

function endOf({ state, error }: RunStatus, sequenceNumber: number): SseMessage[] {
  if (state === 'finished') return [];
  const text = state === 'stopped' ? 'The response was stopped.' : 'The response has ended early.';
  return [errorEvent(error?.message ?? text, error?.code ?? state, sequenceNumber)];
}

/** An event that makes OpenAI's client throw: it looks for `error`. */
export function errorEvent(message: string, code: string, sequenceNumber?: number): SseMessage {
  const told = { code, message, param: null };
  const number = sequenceNumber !== undefined && { sequence_number: sequenceNumber };
  return { type: 'error', data: { type: 'error', ...told, ...number, error: told } };
}

function eventsOf(source: unknown): RunSource {
  let sequenceNumber = 0;
  return messagesOf(source, EXPECTED, (event) => {
    const { type } = Object(event) as Partial<OpenAiEvent>;
    if (typeof type !== 'string') {
      throw new SseInvalidFieldError('event', event, `expected ${EXPECTED}`);
    }
    return { type, data: { ...(event as object), sequence_number: sequenceNumber++ } };
  });
}
