import { validate as validateBy, type EventSchemas } from './validate.js';
import { problemText, SseOptionsError } from '../ground/errors.js';

/**
 * An event that a client received and that its contract does not allow.
 * @publicApi
 */
export interface InvalidEvent {
  readonly type: string;
  /** The data as it was received. */
  readonly data: unknown;
  readonly id: string | undefined;
  /** What is wrong, such as `total: expected a number`. */
  readonly problems: readonly string[];
}

/** What a client does with the events of a contract. */
export interface ReceiveOptions {
  readonly baseUrl?: string | URL | undefined;
  readonly validate?: boolean | undefined;
  readonly onInvalid?: ((event: InvalidEvent) => void) | undefined;
  readonly parse?: unknown;
}

type ReceivedEvent = Omit<InvalidEvent, 'problems'>;

/**
 * Gets an event, its text and its stream. Returns the event for listeners, or `undefined` if they
 * do not get it.
 */
export type Receive = (
  event: ReceivedEvent,
  text: string,
  stream: { readonly state: string },
) => ReceivedEvent | undefined | Promise<ReceivedEvent | undefined>;

/** Passes on the events of a contract. Control events always pass. */
export function receiveBy(
  schemas: EventSchemas,
  { baseUrl, validate = false, onInvalid = warnOnce(), parse }: ReceiveOptions,
): Receive {
  if (baseUrl === undefined && globalThis.location === undefined) {
    const problem = 'expected the URL of the server, because there is no page to take it from';
    throw new SseOptionsError('baseUrl', 'a URL', baseUrl, problem);
  }
  return async (event, text, stream) => {
    const { type, data } = event;
    if (type.startsWith('sse-')) return event;
    const schema = schemas.get(type);
    if (!validate) return schema && event;
    let problems = ['the contract has no event of this type'];
    if (schema !== undefined) {
      try {
        const result = await validateBy(schema, data);
        if (result.problems === undefined) return { ...event, data: result.value };
        for (const other of parse === undefined ? otherReadings(text, data) : []) {
          const reading = await validateBy(schema, other);
          if (reading.problems === undefined) return { ...event, data: reading.value };
        }
        problems = result.problems.map(problemText);
      } catch (error) {
        problems = [`the schema failed: ${String(error)}`];
      }
    }
    // An error of the app's function is reported as uncaught, as one of a listener.
    queueMicrotask(() => {
      if (stream.state !== 'closed') onInvalid({ ...event, problems });
    });
    return undefined;
  };
}

/** What else a text may stand for: text that looks like JSON, and no data at all. */
function otherReadings(text: string, data: unknown): unknown[] {
  if (text === '') return [undefined];
  return data === text ? [] : [text];
}

/** Once for each event type. */
function warnOnce(): (event: InvalidEvent) => void {
  const warned = new Set<string>();
  return ({ type, problems }) => {
    if (warned.has(type)) return;
    warned.add(type);
    console.warn(`The event "${type}" is not what its contract says: ${problems.join('; ')}`);
  };
}
