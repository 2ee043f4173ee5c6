import { SseClientError } from '../client-error.js';
import type { StreamState } from '../stream-state.js';

/**
 * A position in what all tabs hear: the term of a leader, and the number of its event. Places are
 * ordered by term, then by number.
 */
export interface Place {
  readonly term: number;
  readonly n: number;
}

/** An event as the server sent it. Each tab parses the text by its own options. */
export interface Entry {
  readonly type: string;
  /** `undefined`: no event, only the cursor has moved. */
  readonly text: string | undefined;
  readonly id: string | undefined;
  /**
   * The leader's last event ID, if this has moved it. It may say more than `id`: see `EventStream`.
   */
  readonly cursor: string | undefined;
}

/** An event, and where it is in what all tabs hear. */
export interface PlacedEntry {
  readonly place: Place;
  readonly entry: Entry;
}

/** An `SseClientError` as a plain object, because a structured clone drops the fields of errors. */
type ErrorFacts = Pick<
  SseClientError,
  'code' | 'message' | 'isFinal' | 'status' | 'body' | 'retryAfterMs'
>;

/** The state of the leader's stream. */
export interface Status {
  readonly state: StreamState;
  readonly error: ErrorFacts | undefined;
}

/** What a tab needs to go on from a place. */
export interface Welcome {
  readonly kind: 'welcome';
  readonly to: string;
  readonly term: number;
  /** The number of the hello that this answers. */
  readonly ask: number;
  readonly place: Place;
  readonly cursor: string | undefined;
  readonly status: Status;
  /** The events that the tab has missed. */
  readonly entries: readonly PlacedEntry[];
  /** Whether some of these events are not kept any more. */
  readonly hasGap: boolean;
  /** Whether they follow the place of the hello, and not only its cursor. */
  readonly isByPlace: boolean;
  /** For a tab that begins or has a gap: the entries of state rooms, as events of the server. */
  readonly state: readonly Entry[];
  readonly rooms: RoomFacts;
}

/** The rooms of each tab, and those that the connection has joined for them. */
export interface RoomFacts {
  readonly wanted: readonly (readonly [tab: string, rooms: readonly string[]])[];
  readonly joined: readonly string[];
}

/** What a tab says when it comes. `place` and `cursor` say where it stopped. */
export interface Hello {
  readonly kind: 'hello';
  readonly from: string;
  /** Counts the hellos of this tab. */
  readonly ask: number;
  readonly place: Place;
  readonly cursor: string | undefined;
}

/**
 * What tabs say to each other. All tabs hear all messages, the sender too, in the same order.
 * - `claim`: from now on, messages of earlier terms do not count.
 * - `start`: the leader of this term goes on after `place`, from `cursor`.
 * - `event`, `status`: what the leader's stream brings.
 * - `at`: the leader lives, and has posted `n` events.
 * - `ping`: asks for `at`.
 * - `rooms`: the rooms that a tab has joined; `gone`: it has left.
 * - `joined`: the rooms that the connection has now, and those that the server refused.
 */
export type Message =
  | Hello
  | Welcome
  | ({ readonly kind: 'claim'; readonly term: number } & Omit<Hello, 'kind'>)
  | ({ readonly kind: 'start'; readonly term: number } & Omit<Hello, 'kind' | 'ask'>)
  | ({ readonly kind: 'event'; readonly entry: Entry } & Place)
  | { readonly kind: 'status'; readonly term: number; readonly status: Status }
  | ({ readonly kind: 'at' } & Place)
  | { readonly kind: 'ping'; readonly from: string }
  | { readonly kind: 'rooms'; readonly from: string; readonly rooms: readonly string[] }
  | { readonly kind: 'gone'; readonly from: string }
  | {
      readonly kind: 'joined';
      readonly term: number;
      readonly rooms: readonly string[];
      readonly refused?: { readonly rooms: readonly string[]; readonly error: ErrorFacts };
    };

/** Negative if `a` is before `b`, 0 if they are the same. */
export function compare(a: Place, b: Place): number {
  return a.term - b.term || a.n - b.n;
}

export function factsOf(error: SseClientError): ErrorFacts {
  const { code, message, isFinal, status, body, retryAfterMs } = error;
  return { code, message, isFinal, status, body, retryAfterMs };
}

export function errorOf(facts: ErrorFacts | undefined): SseClientError | undefined {
  return facts && new SseClientError(facts.code, facts.message, facts);
}

export function closedError(): SseClientError {
  return new SseClientError('SSE_REQUEST', 'the stream is closed; open another one to join rooms');
}
