import { describe, SseOptionsError } from '../ground/errors.js';
import * as rules from '../options/rules.js';
import { encodeFrame } from '../wire/frame.js';
import { KEEP_ALIVE_MS } from '../wire/protocol.js';

/**
 * The event of a keep-alive.
 * @publicApi
 */
export interface KeepAliveEvent {
  /** Its type (`event` on the wire). Without one the client fires `message`. */
  type?: string;
  /** Its data: a string is sent as it is, everything else as JSON. */
  data?: unknown;
}

/**
 * What keeps an idle connection open.
 * @publicApi
 */
export interface KeepAliveOptions {
  /**
   * How long a connection may be idle before it gets a keep-alive, in milliseconds, so that proxies
   * keep it open. `keepAlive: false` switches keep-alives off.
   * @default 15_000
   */
  intervalMs?: number;
  /**
   * Sends this event instead of the comment, for clients that count keep-alives as events. It has
   * no id: the cursor follows it in a block without an event. `false` sends the comment.
   * @default false
   * @example `keepAlive: { intervalMs: 5_000, event: { type: 'ping' } }`
   */
  event?: KeepAliveEvent | false;
}

const eventObject = rules.object({ type: rules.anyText, data: rules.anyValue });

/** Encoded here, so that a wrong type is refused at start-up, and not 15 s after it. */
function anEvent(path: string, value: unknown): void {
  eventObject(path, value);
  if (value === undefined) return;
  const event = value as KeepAliveEvent;
  if (event.type === undefined && event.data === undefined) {
    throw new SseOptionsError(path, 'a type, or data', value);
  }
  try {
    encodeFrame(event);
  } catch (error) {
    throw new SseOptionsError(path, 'an event', value, describe(error));
  }
}

/** @throws SseOptionsError */
export const checkKeepAlive = rules.orFalse(
  rules.object({ intervalMs: rules.durationMs, event: rules.orFalse(anEvent) }),
);

/** How a stream is kept alive. Without `ms`, not at all. */
export interface KeepAlive {
  readonly ms: number | undefined;
  /** The frame of the event; `undefined` for the comment. */
  readonly frame: string | undefined;
}

/** The stream's options, and the module's for those that it leaves out. */
export function keepAliveOf(
  module: KeepAliveOptions | false | undefined,
  stream: KeepAliveOptions | false | undefined,
): KeepAlive {
  if ((stream ?? module) === false) return { ms: undefined, frame: undefined };
  const [own, inherited] = [stream || {}, module || {}];
  const event = own.event ?? inherited.event ?? false;
  return {
    ms: own.intervalMs ?? inherited.intervalMs ?? KEEP_ALIVE_MS,
    frame: event === false ? undefined : encodeFrame(event),
  };
}
