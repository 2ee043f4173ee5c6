import type { HttpRequest } from '../output/request.js';
import type { SseMessage } from '../wire/frame.js';
import type { CloseReason } from './close-reason.js';

/**
 * One open stream: one HTTP response. Handlers get theirs by `@Connection()`; tests make one with
 * `fakeConnection()`.
 * @example `time(@Connection() connection: SseConnection) { return this.clock.until(connection.signal); }`
 * @publicApi
 */
export abstract class SseConnection {
  /** An object with the same members is no connection: the library has to have made it. */
  declare private readonly isOurs: true;

  /** Unique among all processes. */
  abstract readonly id: string;

  /** The request as the platform hands it to handlers. */
  abstract readonly request: HttpRequest;

  /** The last event ID that the client returned with: the header, then `?lastEventId=`. */
  abstract readonly lastEventId: string | undefined;

  /** Holds the app's own facts, such as the user. */
  abstract readonly data: Record<string, unknown>;

  /** `opening` until the stream begins, then `open`, then `closed` for good. */
  abstract readonly state: 'opening' | 'open' | 'closed';

  /** When the stream began, in milliseconds since the Unix epoch; `undefined` before. */
  abstract readonly openedAt: number | undefined;

  /**
   * Sends a message to this client alone, in order with everything else. Begins the stream if
   * nothing has yet. Resolves when the message is written and there is room for more. A rejection
   * that nobody awaits is not reported.
   * @throws SseInvalidFieldError, SseSerializeError; SseClosedError when the connection has ended
   */
  abstract send(message: SseMessage): Promise<void>;

  /** Sends a comment, which clients ignore; as `send()`. */
  abstract comment(text: string): Promise<void>;

  /** Ends the stream after what was sent so far. A second call does nothing. */
  abstract close(reason?: CloseReason): void;

  /** Aborts when the connection ends, for `fetch` and timers. Its `reason` is the `CloseReason`. */
  abstract readonly signal: AbortSignal;

  /** Resolves once, with the reason, when the connection ends. Never rejects. */
  abstract readonly closed: Promise<CloseReason>;

  /** How many events were handed to the socket so far. */
  abstract readonly sentEvents: number;

  /** How many bytes of the stream were handed to the socket so far, without HTTP's framing. */
  abstract readonly sentBytes: number;

  /** How many bytes wait for this client. Several clients may wait for the same, shared bytes. */
  abstract readonly bufferedBytes: number;

  /**
   * How many events were left out because the client took too little; each is told by an `sse-gap`.
   */
  abstract readonly droppedEvents: number;
}
