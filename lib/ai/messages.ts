import { isObservable, map } from 'rxjs';
import { preview, SseNotStreamableError } from '../ground/errors.js';
import { HubEvent } from '../log/event.js';
import type { RunSource } from '../runs/production.js';
import type { SseMessage } from '../wire/frame.js';

/** A source that does not end after its signal was aborted is left after this time. */
const END_MS = 2_000;

/** Turns what a producer gives into messages of a run. */
export type ToMessage = (value: unknown) => SseMessage;

/**
 * The messages of a source. If it is left early, because its run was stopped, it is still read to
 * the end that its signal brings about: so libraries call what they call at the end of an answer.
 * @throws SseNotStreamableError
 */
export function messagesOf(source: unknown, expected: string, toMessage: ToMessage): RunSource {
  if (isObservable(source)) return source.pipe(map(toMessage));
  if (!isAsyncIterable(source)) {
    throw new SseNotStreamableError(`expected ${expected}, got ${preview(source)}`);
  }
  return {
    [Symbol.asyncIterator]: () => new ReadToItsEnd(source[Symbol.asyncIterator](), toMessage),
  };
}

/** The message of a run as other protocols have it: without a cursor. Encoded once for all. */
export function withoutId(message: SseMessage): SseMessage {
  return HubEvent.is(message) ? message.withoutId : message;
}

class ReadToItsEnd implements AsyncIterator<SseMessage, undefined> {
  private pending: Promise<IteratorResult<unknown>> | undefined;

  constructor(
    private readonly source: AsyncIterator<unknown>,
    private readonly toMessage: ToMessage,
  ) {}

  async next(): Promise<IteratorResult<SseMessage, undefined>> {
    this.pending = this.source.next();
    const { done, value } = await this.pending;
    if (done === true) return { done, value: undefined };
    return { done: false, value: this.toMessage(value) };
  }

  async return(): Promise<IteratorResult<SseMessage, undefined>> {
    const late = new AbortController();
    const timer = setTimeout(() => {
      late.abort();
      // What a pending iterator does then is up to it.
      void Promise.resolve(this.source.return?.()).catch(() => {});
    }, END_MS);
    try {
      let last = await this.pending;
      while (last?.done !== true && !late.signal.aborted) last = await this.source.next();
    } finally {
      clearTimeout(timer);
    }
    return { done: true, value: undefined };
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
