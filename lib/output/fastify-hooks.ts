import { EventEmitter } from 'node:events';
import { EVENT_STREAM, isEventStreamType, type HeaderValue } from './stream-headers.js';

interface FastifyReply {
  readonly raw: EventEmitter & { readonly headersSent: boolean };
  getHeaders(): Record<string, HeaderValue>;
  hijack(): void;
  send: (payload: unknown) => unknown;
  header(name: string, value: string): unknown;
}

export function isFastifyReply<T extends object>(response: T): response is T & FastifyReply {
  return 'hijack' in response && 'send' in response;
}

/**
 * Runs the app's `onSend` hooks, for example those that set cookies, and then calls `write`. Calls
 * `refused` instead if something else has answered. `headersSent` alone does not show that, because
 * the hooks of the other answer may still be running. So `send()` is intercepted as well.
 */
export function writeAfterHooks(
  reply: FastifyReply,
  later: (call: () => void) => void,
  write: () => void,
  refused: () => void,
): void {
  const { send } = reply;
  let isAnswered = false;
  reply.send = (payload) => {
    isAnswered = true;
    return send.call(reply, payload);
  };
  later(() => {
    reply.send = send;
    if (isAnswered || reply.raw.headersSent) return refused();
    const type = String(reply.getHeaders()['content-type'] ?? '');
    // Hooks read the type. Those that compress leave event streams alone.
    if (!isEventStreamType(type)) reply.header('Content-Type', EVENT_STREAM);
    reply.send(new Handover(reply.raw, write));
  });
}

/**
 * The payload of a stream. Only `reply.send()` runs Fastify's hooks, and at the end it pipes the
 * payload into the response. At that point the stream takes over and writes to the response itself.
 * The payload looks like an empty legacy stream, because Fastify watches for its end.
 */
class Handover extends EventEmitter {
  private watchers: Map<string | symbol, readonly unknown[]> | undefined;

  constructor(
    private readonly raw: EventEmitter,
    private readonly takeOver: () => void,
  ) {
    super();
  }

  /** Fastify first adds listeners to the payload, then to the response. */
  override on(event: string | symbol, listener: (...args: unknown[]) => void): this {
    this.watchers ??= new Map(
      this.raw.eventNames().map((name) => [name, this.raw.rawListeners(name)]),
    );
    return super.on(event, listener);
  }

  pipe(): void {
    // Otherwise Fastify reports an error when the client leaves before the payload has ended.
    this.emit('end');
    this.removeAllListeners();
    // Fastify's listeners have no use any more. They would hold 1.4 KB per open stream.
    for (const name of this.raw.eventNames()) {
      const before = this.watchers?.get(name) ?? [];
      for (const listener of this.raw.rawListeners(name)) {
        if (!before.includes(listener)) this.raw.off(name, listener as () => void);
      }
    }
    this.takeOver();
  }

  /** Fastify calls it if the client leaves while the hooks run. */
  destroy(): void {}
}
