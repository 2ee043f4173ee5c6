import type { ServerResponse } from 'node:http';
import { Catch, type ExceptionFilter } from '@nestjs/common';
import { warnOfLateAnswer } from '../ground/warnings.js';

/** The stream that owns a response. */
export interface ResponseOwner {
  /** For the log. */
  readonly route: string;
  /** The response has closed. */
  closed(): void;
  /** Whether the stream itself ends the response now. */
  isEnding: boolean;
  /** Node's `end()`, or that of a middleware that wrapped it, such as one that saves sessions. */
  realEnd: Method | undefined;
}

/** Where a response refers to the stream that owns it. */
export const OWNER = Symbol('nestjs-eventstream:owner');

/** A method of a response. Node's typings have overloads that do not matter here. */
type Method = (this: Owned, ...args: unknown[]) => unknown;

export interface Owned {
  end: Method;
  [OWNER]?: ResponseOwner | undefined;
}

/**
 * Ignores other answers to a request whose stream has begun: an interceptor that sets a header too
 * late, an exception filter, a middleware's timeout. Each would cut the stream, and browsers would
 * reconnect forever. A warning names the caller. The functions are shared by all responses, so a
 * connection holds no closures for them.
 */
export function ignoreLateAnswers(
  raw: ServerResponse,
  platformResponse: object,
  owner: ResponseOwner,
): void {
  const owned = raw as unknown as Owned;
  owner.realEnd = owned.end;
  overrideMethods(owned, LATE);
  if (platformResponse !== raw) Object.assign(platformResponse, LATE_OF_REPLY, { [OWNER]: owner });
}

/** The prototypes with the methods of `LATE`, by the prototypes below them. */
const latePrototypes = new WeakMap<object, object>();

/**
 * Overrides by a prototype that all responses share. Methods of its own would cost each response a
 * place for each, and after Express has changed its prototype also a hidden class.
 */
function overrideMethods(owned: Owned, methods: Record<string, Method>): void {
  const prototype = Object.getPrototypeOf(owned) as object;
  let late = latePrototypes.get(prototype);
  if (late === undefined) {
    late = Object.assign(Object.create(prototype) as object, methods);
    latePrototypes.set(prototype, late);
  }
  Object.setPrototypeOf(owned, late);
  // Middleware has wrapped these for this response alone.
  for (const name of Object.keys(methods))
    if (Object.hasOwn(owned, name)) Object.assign(owned, { [name]: methods[name] });
}

function next(this: { readonly res?: object } | undefined): void {
  if (this?.res !== undefined) tell(this.res as Owned, 'next');
}

/** Replaces Express' `next()` of a request whose stream has begun. Does nothing, and warns. */
export const lateNext: (...args: unknown[]) => void = next;

/** From now on `end()` ends the response. */
export function allowEnd(raw: ServerResponse, owner: ResponseOwner): void {
  const owned = raw as unknown as Owned;
  owner.isEnding = true;
  // If something wrapped it since, the wrapper calls it.
  if (owned.end === LATE.end && owner.realEnd !== undefined) owned.end = owner.realEnd;
}

const ignored = (method: string): Method =>
  function (...args) {
    tell(this, method, args[0]);
    return this;
  };

const LATE: Record<string, Method> = {
  end(...args) {
    const { isEnding, realEnd } = this[OWNER] ?? {};
    if (isEnding && realEnd !== undefined) return Reflect.apply(realEnd, this, args);
    tell(this, 'end');
    return this;
  },
  setHeader: ignored('setHeader'),
  appendHeader: ignored('appendHeader'),
  removeHeader: ignored('removeHeader'),
  writeHead: ignored('writeHead'),
};

/** Fastify's reply would store a header for nobody, or log a line that names no stream. */
const LATE_OF_REPLY: Record<string, Method> = { send: ignored('send'), header: ignored('header') };

/** The error that Nest is about to pass to an exception filter. */
let caught: unknown;

function tell(raw: Owned, method: string, name?: unknown): void {
  const owner = raw[OWNER];
  if (owner === undefined || owner.isEnding) return;
  const call = typeof name === 'string' ? `${method}(${JSON.stringify(name)})` : `${method}()`;
  // Without this function's own frames, so that the stack starts at the caller of the method.
  const caller: { stack?: string } = {};
  Error.captureStackTrace(caller, LATE[method] ?? LATE_OF_REPLY[method] ?? next);
  warnOfLateAnswer(owner.route, call, caught, caller.stack);
}

/**
 * Nest tests each error with `instanceof` to find its filter. This class never matches, but sees
 * which error is about to be answered.
 */
abstract class AnyError {
  static [Symbol.hasInstance](error: unknown): boolean {
    caught = error;
    queueMicrotask(() => (caught = undefined));
    return false;
  }
}

/** A filter on each stream handler. It handles nothing, and lets the warning name a late error. */
@Catch(AnyError)
export class LateErrors implements ExceptionFilter {
  catch(): void {}
}
