import { EventEmitter } from 'node:events';
import { EVENT_STREAM, isEventStreamType, type HeaderValue } from './stream-headers.js';

interface FastifyReply {
  readonly raw?: { readonly headersSent: boolean };
  getHeaders(): Record<string, HeaderValue>;
  hijack(): void;
  send: (payload: unknown) => unknown;
  header(name: string, value: string): unknown;
}

export function isFastifyReply<T extends object>(response: T): response is T & FastifyReply {
  return 'hijack' in response && 'send' in response;
}

/**
 * Calls `write` when the app's `onSend` hooks have run, which set cookies and request ids; or `refused` when somebody has answered in
 * the meantime. The hooks are asynchronous, so that only a call of `send()` shows it.
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
    if (isAnswered || reply.raw?.headersSent) return refused();
    const type = String(reply.getHeaders()['content-type'] ?? '');
    // Hooks look at it: what compresses leaves event streams alone.
    if (!isEventStreamType(type)) reply.header('Content-Type', EVENT_STREAM);
    reply.send(new Handover(write));
  });
}

/**
 * The payload of a stream. Nothing public runs Fastify's hooks but `reply.send()`, which at their end pipes the payload into the
 * response: there the stream takes over, and writes to the response itself. Looks like a legacy stream with nothing in it, because
 * Fastify watches the payload's end.
 */
class Handover extends EventEmitter {
  constructor(private readonly takeOver: () => void) {
    super();
  }

  pipe(): void {
    this.takeOver();
    // Or Fastify would call it an error when the client leaves before this has ended.
    this.emit('end');
    this.removeAllListeners();
  }

  /** Fastify's, for a client that leaves while the hooks run. */
  destroy(): void {}
}
