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
 * Calls `write` when the app's `onSend` hooks have run, which set cookies and request ids; or
 * `refused` when somebody has answered in the meantime. The hooks are asynchronous, so that only a
 * call of `send()` shows it.
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
    // Hooks look at it: what compresses leaves event streams alone.
    if (!isEventStreamType(type)) reply.header('Content-Type', EVENT_STREAM);
    reply.send(new Handover(reply.raw, write));
  });
}

/**
 * The payload of a stream. Nothing public runs Fastify's hooks but `reply.send()`, which at their
 * end pipes the payload into the response: there the stream takes over, and writes to the response
 * itself. Looks like a legacy stream with nothing in it, because Fastify watches the payload's end.
 */
class Handover extends EventEmitter {
  private watchers: Map<string | symbol, readonly unknown[]> | undefined;

  constructor(
    private readonly raw: EventEmitter,
    private readonly takeOver: () => void,
  ) {
    super();
  }

  /** Fastify watches the payload first, and then the response. */
  override on(event: string | symbol, listener: (...args: unknown[]) => void): this {
    this.watchers ??= new Map(
      this.raw.eventNames().map((name) => [name, this.raw.rawListeners(name)]),
    );
    return super.on(event, listener);
  }

  pipe(): void {
    // Or Fastify would call it an error when the client leaves before this has ended.
    this.emit('end');
    this.removeAllListeners();
    // They have nothing to do any more, and hold 1.4 KB for as long as the stream is open.
    for (const name of this.raw.eventNames()) {
      const before = this.watchers?.get(name) ?? [];
      for (const listener of this.raw.rawListeners(name)) {
        if (!before.includes(listener)) this.raw.off(name, listener as () => void);
      }
    }
    this.takeOver();
  }

  /** Fastify's, for a client that leaves while the hooks run. */
  destroy(): void {}
}
