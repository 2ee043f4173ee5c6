import type { ControlOptions } from '../connection/controls.options.js';
import type { SseStreamOptions } from '../connection/stream.options.js';
import { SseOptionsError } from '../ground/errors.js';
import type { SseSource } from '../nest/handler-result.js';
import { SseStream } from '../nest/sse.decorators.js';
import type { SseMessage } from '../wire/frame.js';

/** What the protocol decides. */
const DECIDED = [
  'controls',
  'ignoreAccept',
  'map',
  'negotiate',
  'onComplete',
  'onError',
  'rejectWith',
  'retry',
  'serialize',
] as const;

/**
 * The options of `@UiMessageStream()` and `@OpenAiStream()`: those of `@SseStream()`, without what
 * the protocol decides.
 * @publicApi
 */
export type AiStreamOptions = Omit<SseStreamOptions, (typeof DECIDED)[number]>;

/**
 * A decorator of a handler that returns a stream.
 * @typeParam Handler the method
 * @publicApi
 */
export type AiStreamDecorator = <
  Handler extends (...args: never[]) => SseSource | Promise<SseSource>,
>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<Handler>,
) => void;

/** A stream whose clients look for the end, and for errors, in the data. */
export function foreignStream(
  name: string,
  path: string | string[] | undefined,
  options: AiStreamOptions,
  error: (message: string, code: string) => SseMessage,
): AiStreamDecorator {
  for (const option of DECIDED) {
    const value: unknown = (options as SseStreamOptions)[option];
    if (value === undefined) continue;
    const problem = `${name} decides it; leave it out, or use @SseStream()`;
    throw new SseOptionsError(option, 'nothing', value, problem);
  }
  const controls: ControlOptions = {
    gap: 'end',
    error: ({ message }) => error(String(message), 'error'),
    end: ({ reason }) => {
      if (reason === 'gap') return error('Part of the answer was lost. Ask again.', reason);
      return reason === 'auth' && error('This answer may not be read any more.', reason);
    },
    // These clients take the end of a response for the end of an answer.
    early: 'break',
    open: false,
    rooms: false,
  };
  return SseStream(path, {
    ...options,
    controls,
    // Their requests are for this protocol, whatever they say: OpenAI's client asks for JSON.
    ignoreAccept: true,
    // They take 200 for an answer.
    rejectWith: 'status',
    retry: false,
  });
}
