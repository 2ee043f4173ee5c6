import { concat, isObservable, of } from 'rxjs';
import { SseInvalidFieldError } from '../ground/errors.js';
import type { RunSource } from '../runs/production.js';
import type { FollowOptions, RunStatus, StartOptions } from '../runs/runs.options.js';
import type { RunStream, SseRuns } from '../runs/sse-runs.js';
import type { SseMessage } from '../wire/frame.js';
import { messagesOf, withoutId } from './messages.js';

/**
 * A chunk of a UI message stream, as the AI SDK has them since version 5: `UIMessageChunk` of `ai`.
 * @publicApi
 */
export interface UiMessageChunk {
  readonly type: string;
}

/**
 * The chunks of an answer: the `ReadableStream` of the SDK, any other AsyncIterable, or an
 * Observable.
 * @publicApi
 */
export type UiMessageSource = RunSource;

/**
 * Produces the chunks of an answer, such as `streamText({ …, abortSignal }).toUIMessageStream()`.
 * Pass the signal on. It is aborted when the run is stopped; the stream is then read to its end, so
 * that the SDK calls `onEnd` (`onFinish` before version 7) with what there is of the answer.
 * @publicApi
 */
export type UiMessageProducer = (
  abortSignal: AbortSignal,
) => UiMessageSource | Promise<UiMessageSource>;

const EXPECTED = 'a stream of UI message chunks, such as result.toUIMessageStream()';
const DONE: SseMessage = Object.freeze({ data: '[DONE]' });

/**
 * Starts a run whose messages are the chunks of an answer, and reads it. Return it from a handler
 * of `@UiMessageStream()`.
 *
 * A chat has one id and many answers: a new answer takes the place of one that has ended
 * (`existing: 'replace'`). While one is running, it is refused with 409.
 * @throws What `SseRuns.start()` throws. A source of anything but chunks makes the run fail
 * @example
 * ```ts
 * @UiMessageStream('', { method: RequestMethod.POST })
 * async answer(@Body() { id, messages }: { id: string; messages: UIMessage[] }) {
 *   const prompt = await convertToModelMessages(messages);
 *   return startUiMessages(this.runs, id, (abortSignal) =>
 *     streamText({ model, messages: prompt, abortSignal }).toUIMessageStream(),
 *   );
 * }
 * ```
 * @publicApi
 */
export async function startUiMessages(
  runs: SseRuns,
  id: string,
  producer: UiMessageProducer,
  options: StartOptions = {},
): Promise<RunStream> {
  const { kind } = options;
  const chunks = async (signal: AbortSignal): Promise<RunSource> =>
    chunksOf(await producer(signal));
  await runs.start(id, chunks, { existing: 'replace', ...options });
  return followUiMessages(runs, id, { kind });
}

/**
 * Reads the answer of a run from its beginning: at once what there is, then live chunks, then
 * `[DONE]`. Return it from a handler of `@UiMessageStream()`; `useChat({ resume: true })` asks for
 * it. If there is no such run, the request is answered with 204: nothing to resume.
 *
 * A run that was stopped ends with the chunk `abort`. One that has failed, or whose process has
 * died, ends with an `error`.
 * @throws SseOptionsError
 * @example `@UiMessageStream(':id/stream') resume(@Param('id') id: string) { return followUiMessages(this.runs, id); }`
 * @publicApi
 */
export function followUiMessages(
  runs: SseRuns,
  id: string,
  options: Pick<FollowOptions, 'kind' | 'connection'> = {},
): RunStream {
  return runs.follow(id, { ...options, after: 0, map: withoutId, end: endOf });
}

/**
 * The chunks of an answer that ends with its connection, without a run. Return it from a handler of
 * `@UiMessageStream()`.
 * @throws SseNotStreamableError
 * @example `return uiMessages(streamText({ model, prompt, abortSignal: connection.signal }).toUIMessageStream());`
 * @publicApi
 */
export function uiMessages(source: UiMessageSource): RunSource {
  const chunks = chunksOf(source);
  return isObservable(chunks) ? concat(chunks, of(DONE)) : thenDone(chunks);
}

function thenDone(chunks: AsyncIterable<unknown>): AsyncIterable<unknown> {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = chunks[Symbol.asyncIterator]();
      let isDone = false;
      return {
        async next(): Promise<IteratorResult<unknown>> {
          const { done, value }: IteratorResult<unknown> = await iterator.next();
          if (done !== true) return { done: false, value };
          if (isDone) return { done: true, value: undefined };
          isDone = true;
          return { done: false, value: DONE };
        },
        async return(): Promise<IteratorResult<unknown>> {
          await iterator.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

function endOf({ state, error }: RunStatus): SseMessage[] {
  if (state === 'finished') return [DONE];
  if (state === 'stopped') return [{ data: { type: 'abort' } }, DONE];
  return [errorChunk(error?.message ?? 'The answer has ended early. Ask again.'), DONE];
}

/** The chunk that makes `useChat` show an error. */
export function errorChunk(errorText: string): SseMessage {
  return { data: { type: 'error', errorText } };
}

function chunksOf(source: unknown): RunSource {
  return messagesOf(source, EXPECTED, (chunk) => {
    if (typeof (chunk as Partial<UiMessageChunk> | null)?.type === 'string') return { data: chunk };
    throw new SseInvalidFieldError('chunk', chunk, `expected ${EXPECTED}`);
  });
}
