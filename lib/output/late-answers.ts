import type { ServerResponse } from 'node:http';
import { Catch, type ExceptionFilter } from '@nestjs/common';
import { warnOfLateAnswer } from '../ground/warnings.js';

/** Whose response it is while a stream is open. */
export interface ResponseOwner {
  /** What is asked for, for the log. */
  readonly route: string;
  /** Whether the stream itself ends the response now. */
  isEnding: boolean;
  /** Node's `end()`, or what a middleware has put in its place, such as one that saves sessions. */
  realEnd: Method | undefined;
}

const OWNER = Symbol('nestjs-eventstream:owner');

/** As a method of a response, which Node's typings overload in more ways than matter here. */
type Method = (this: Owned, ...args: unknown[]) => unknown;

interface Owned {
  end: Method;
  [OWNER]?: ResponseOwner;
}

/**
 * What answers a request elsewhere does nothing to a stream that has begun: an interceptor that
 * sets a header too late, an exception filter, a middleware's timeout. Each would end the stream in
 * the midst of it, and browsers would come back for ever. The log tells who it was. Shared
 * functions as properties of the response, so that a connection holds no closures for it.
 */
export function ignoreLateAnswers(
  raw: ServerResponse,
  platformResponse: object,
  owner: ResponseOwner,
): void {
  const owned = raw as unknown as Owned;
  owner.realEnd = owned.end;
  Object.assign(owned, LATE, { [OWNER]: owner });
  if (platformResponse !== raw) Object.assign(platformResponse, LATE_OF_REPLY, { [OWNER]: owner });
}

/** From here on `end()` ends the response again. */
export function allowEnd(raw: ServerResponse, owner: ResponseOwner): void {
  const owned = raw as unknown as Owned;
  owner.isEnding = true;
  // Unless somebody has wrapped it since: then it is called through the wrapper.
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

/** Fastify's reply would keep a header for nobody, and log a line that names no stream. */
const LATE_OF_REPLY: Record<string, Method> = { send: ignored('send'), header: ignored('header') };

/** The error that is on its way to an exception filter. */
let caught: unknown;

function tell(raw: Owned, method: string, name?: unknown): void {
  const owner = raw[OWNER];
  if (owner === undefined || owner.isEnding) return;
  const call = typeof name === 'string' ? `${method}(${JSON.stringify(name)})` : `${method}()`;
  // From the caller of the method.
  const caller: { stack?: string } = {};
  Error.captureStackTrace(caller, LATE[method] ?? LATE_OF_REPLY[method]);
  warnOfLateAnswer(owner.route, call, caught, caller.stack);
}

/**
 * Nest asks of each error whether it is one of these. It never is; the question shows which error a
 * filter is about to answer.
 */
abstract class AnyError {
  static [Symbol.hasInstance](error: unknown): boolean {
    caught = error;
    queueMicrotask(() => (caught = undefined));
    return false;
  }
}

/**
 * On each handler of a stream: handles nothing, and lets the log name an error that came too late.
 */
@Catch(AnyError)
export class LateErrors implements ExceptionFilter {
  catch(): void {}
}
