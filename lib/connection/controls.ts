import { SseOptionsError } from '../ground/errors.js';
import type { SseMessage } from '../wire/frame.js';
import { SSE_OPEN, SSE_ROOMS } from '../wire/protocol.js';
import type { CloseReason } from './close-reason.js';
import type { ControlOptions } from './controls.options.js';
import type { SseConnection } from './sse-connection.js';

/** What a stream sends for a control event; `end` to end instead, `false` for no event. */
export type Said = SseMessage | 'end' | false;

/** The part of a stream that finding its words takes. */
interface SpokenStream extends SseConnection {
  readonly settings: { readonly controls: ControlOptions | undefined };
  inContext<T>(step: () => T): T;
}

type Say = (data: unknown, connection: SseConnection) => Said;

/** The client has been told of these ends. */
const TOLD: ReadonlySet<CloseReason> = new Set(['complete', 'error', 'auth', 'gap']);

/** Whether an end for this reason must not look like that of the source. */
export function breaksAt(reason: CloseReason, { controls }: SpokenStream['settings']): boolean {
  return controls?.early === 'break' && !TOLD.has(reason);
}

const OPTIONS: Readonly<Record<string, Exclude<keyof ControlOptions, 'early'>>> = {
  'sse-gap': 'gap',
  'sse-error': 'error',
  'sse-end': 'end',
  [SSE_OPEN]: 'open',
  [SSE_ROOMS]: 'rooms',
};

/** These end the stream, so their id is never a place to go on from. */
const LAST: readonly unknown[] = ['error', 'end'];

/**
 * What this stream says for a control event. Its data is always JSON, because `serialize` is for
 * the app's data.
 * @throws SseOptionsError for an answer of the app that would leave something out silently
 */
export function said(type: string, data: object, stream: SpokenStream): Said {
  const option = OPTIONS[type];
  const say = option && stream.settings.controls?.[option];
  if (option === undefined || say === undefined) return { type, data: JSON.stringify(data) };
  const answer: unknown =
    typeof say === 'function' ? stream.inContext(() => (say as Say)(data, stream)) : say;
  check(option, answer);
  return answer as Said;
}

function check(option: keyof ControlOptions, answer: unknown): void {
  const path = `controls.${option}`;
  const other = option === 'gap' || option === 'error' ? 'end' : false;
  if (answer === other) return;
  if (typeof answer !== 'object' || answer === null) {
    const expected = `its function to return a message, or ${other === 'end' ? "'end'" : 'false'}`;
    throw new SseOptionsError(path, expected, answer);
  }
  if ('id' in answer && !LAST.includes(option)) {
    throw new SseOptionsError(path, 'a message without an id, which the stream sets', answer);
  }
}
