import { EventEmitter } from 'node:events';
import { EVENT_STREAM, isEventStreamType, type HeaderValue } from './stream-headers.js';

interface FastifyReply {
  readonly raw: EventEmitter & {
    readonly headersSent: boolean;
    setHeader(name: string, value: NonNullable<HeaderValue>): unknown;
  };
  getHeader(name: string): HeaderValue;
  hijack(): void;
  send: (payload: unknown) => unknown;
  then?: (fulfilled: () => void, rejected: (error: unknown) => void) => void;
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
  // Somebody may have wrapped it for this reply.
  const isWrapped = Object.hasOwn(reply, 'send');
  const release = holdAwaits(reply);
  let isAnswered = false;
  reply.send = (payload) => {
    isAnswered = true;
    return send.call(reply, payload);
  };
  later(() => {
    reply.send = send;
    if (isAnswered || reply.raw.headersSent) {
      release();
      return refused();
    }
    const type = String(reply.getHeader('content-type') ?? '');
    // Hooks read the type. Those that compress leave event streams alone.
    if (!isEventStreamType(type)) reply.header('Content-Type', EVENT_STREAM);
    if (!isWrapped && hasNoHooks(reply)) {
      // As `send()` does, so that the headers of the response can be read later.
      reply.raw.setHeader('Content-Type', reply.getHeader('content-type') ?? EVENT_STREAM);
      write();
      return release();
    }
    reply.raw.once('close', release);
    const takeOver = (): void => {
      write();
      reply.raw.off('close', release);
      release();
    };
    reply.send(new Handover(reply.raw, takeOver));
  });
}

/**
 * Whether `send()` would do nothing but pass the payload on. Two facts that are private to Fastify
 * say so: there are no `onSend` hooks, and no trailers. If they are not where Fastify 5 keeps them,
 * the answer is no.
 */
function hasNoHooks(reply: FastifyReply): boolean {
  const of = reply as unknown as Record<symbol, unknown>;
  const app = Object.getPrototypeOf(reply) as object;
  let keys = keysOf.get(app);
  if (keys === undefined) {
    const [context, trailers] = [keyOf(reply, CONTEXT), keyOf(reply, TRAILERS)];
    keysOf.set(app, (keys = { context, trailers }));
  }
  const { context = NO_KEY, trailers = NO_KEY } = keys;
  const route = of[context];
  if (typeof route !== 'object' || route === null || !('onSend' in route)) return false;
  return route.onSend === null && of[trailers] === null;
}

const CONTEXT = 'fastify.context';
const TRAILERS = 'fastify.reply.trailers';
const NO_KEY = Symbol('none');

/** The keys of the private facts, by the class of the reply. Each app has one. */
const keysOf = new WeakMap<object, { context: symbol | undefined; trailers: symbol | undefined }>();

function keyOf(reply: object, description: string): symbol | undefined {
  for (let owner: object | null = reply; owner !== null;) {
    const known = Object.getOwnPropertySymbols(owner).find(
      (key) => key.description === description,
    );
    if (known !== undefined) return known;
    owner = Object.getPrototypeOf(owner) as object | null;
  }
  return undefined;
}

/**
 * Nest awaits the reply, which settles when the response has ended, or at once if it was taken
 * over. A stream takes it over a turn later, and until its end the promises and Fastify's listeners
 * would hold 4 KB. So those who await it are noted, and ask the reply when the returned function is
 * called.
 */
function holdAwaits(reply: FastifyReply): () => void {
  const { then } = reply;
  if (then === undefined) return () => {};
  const waiting: Parameters<typeof then>[] = [];
  // oxlint-disable-next-line unicorn/no-thenable -- Fastify's replies are thenable
  reply.then = (...callbacks) => void waiting.push(callbacks);
  return () => {
    // oxlint-disable-next-line unicorn/no-thenable -- as above
    reply.then = then;
    for (const callbacks of waiting.splice(0)) then.apply(reply, callbacks);
  };
}

/**
 * The payload of a stream. Only `reply.send()` runs Fastify's hooks, and at the end it pipes the
 * payload into the response. At that point the stream takes over and writes to the response itself.
 * The payload looks like an empty legacy stream, because Fastify watches for its end.
 */
class Handover extends EventEmitter {
  private giveBack: (() => void) | undefined;

  constructor(
    private readonly raw: EventEmitter,
    private readonly takeOver: () => void,
  ) {
    super();
  }

  /**
   * Fastify first adds listeners to the payload, and then some to the response, which have no use.
   * They would hold 1.4 KB per open stream, or a third of that if they were removed again.
   */
  override on(event: string | symbol, listener: (...args: unknown[]) => void): this {
    if (this.giveBack === undefined) {
      this.giveBack = ignoreListeners(this.raw);
      // Fastify may fail before it pipes.
      queueMicrotask(this.giveBack);
    }
    return super.on(event, listener);
  }

  pipe(): void {
    this.giveBack?.();
    // Otherwise Fastify reports an error when the client leaves before the payload has ended.
    this.emit('end');
    this.removeAllListeners();
    this.takeOver();
  }

  /** Fastify calls it if the client leaves while the hooks run. */
  destroy(): void {}
}

/** Until the returned function is called, `emitter.on()` does nothing. */
function ignoreListeners(emitter: EventEmitter): () => void {
  // Middleware such as `compression` has one of its own.
  const own = Object.getOwnPropertyDescriptor(emitter, 'on');
  emitter.on = () => emitter;
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    if (own === undefined) Reflect.deleteProperty(emitter, 'on');
    else Object.defineProperty(emitter, 'on', own);
  };
}
