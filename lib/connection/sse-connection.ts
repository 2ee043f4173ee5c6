import type { HttpRequest } from '../output/request.js';
import type { SseMessage } from '../wire/frame.js';
import type { CloseReason } from './close-reason.js';
import type { Identity } from './identity.js';

/**
 * One event stream to one client. Handlers get theirs with `@Connection()`; tests create one with
 * `fakeConnection()`.
 * @example `time(@Connection() connection: SseConnection) { return this.clock.until(connection.signal); }`
 * @publicApi
 */
export abstract class SseConnection {
  /** Makes objects with the same members not assignable: only the library creates connections. */
  declare private readonly isOurs: true;

  /** The id of the connection, unique across all processes. */
  abstract readonly id: string;

  /** The request as handlers get it from Express or Fastify. */
  abstract readonly request: HttpRequest;

  /** The last event ID of a returning client: the header, else `?lastEventId=`. */
  abstract readonly lastEventId: string | undefined;

  /** Data of your app, such as the user. */
  abstract readonly data: Record<string, unknown>;

  /**
   * Whose the connection is, as the module option `identify` says; `undefined` if that is not set,
   * or returned `undefined`. Asked once, when it is read for the first time.
   * @throws SseOptionsError for a wrong answer; what `identify` throws
   */
  abstract readonly identity: Identity | undefined;

  /** The rooms of its stream with the option `changeable`; empty without such a stream. */
  abstract readonly rooms: readonly string[];

  /**
   * Adds rooms to its stream with the option `changeable`. Resolves with the rooms in force: from
   * then on the client gets their events. `authorize` is asked.
   * @throws SseError `SSE_OPTIONS` without such a stream; SseInvalidFieldError for a name;
   * SseLimitError; SseClosedError; what `authorize` throws, or a `ForbiddenException` if it says no
   */
  abstract join(...rooms: string[]): Promise<readonly string[]>;

  /** Takes rooms out of that stream. Otherwise as `join()`. */
  abstract leave(...rooms: string[]): Promise<readonly string[]>;

  /** `opening` until the stream begins, then `open`, finally `closed`. */
  abstract readonly state: 'opening' | 'open' | 'closed';

  /** When the stream began, in milliseconds since the Unix epoch; `undefined` until then. */
  abstract readonly openedAt: number | undefined;

  /**
   * Sends a message to this client only, after everything sent before. Begins the stream if it has
   * not begun. Resolves when the message is written and the client can take more. An unawaited
   * rejection is not reported.
   * @throws SseInvalidFieldError, SseSerializeError; SseClosedError if the connection has ended
   */
  abstract send(message: SseMessage): Promise<void>;

  /** Sends a comment, which clients ignore. Otherwise as `send()`. */
  abstract comment(text: string): Promise<void>;

  /**
   * Ends the stream after everything sent before. A second call does nothing.
   * @param reason 'server' by default
   */
  abstract close(reason?: CloseReason): void;

  /**
   * Aborts when the connection ends. Its `reason` is the `CloseReason`. Pass the signal to `fetch`
   * and timers.
   */
  abstract readonly signal: AbortSignal;

  /** Resolves with the reason when the connection ends. Never rejects. */
  abstract readonly closed: Promise<CloseReason>;

  /** The number of events written to the socket so far. */
  abstract readonly sentEvents: number;

  /**
   * The number of bytes written to the socket so far, without HTTP framing. With `compression`, the
   * compressed bytes.
   */
  abstract readonly sentBytes: number;

  /**
   * The size of the backlog in bytes. Clients can share bytes, which count for each of them. With
   * `compression`, frames count as text until they are written.
   */
  abstract readonly bufferedBytes: number;

  /**
   * The number of events dropped because the client read too slowly. It gets `sse-gap` for them.
   */
  abstract readonly droppedEvents: number;
}
