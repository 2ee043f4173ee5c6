import { AsyncLocalStorage } from 'node:async_hooks';
import { ForbiddenException, HttpException } from '@nestjs/common';
import type { SseConnection } from './sse-connection.js';
import { logError } from './connection-logger.js';
import { MAX_TIMER_MS } from '../ground/timers.js';

/**
 * Who may read which rooms of a hub. Called when a stream joins them, before anything is replayed,
 * and again at each keep-alive interval for as long as the stream is open; `connection.data` and
 * `connection.request` tell who it is. No: 403, or the end of the stream after `event: sse-end`
 * with `{"reason":"auth"}`; so is what it throws, with its own status where the stream has not
 * begun. `until`: yes, but the stream ends by then, a little earlier, so that not all end together;
 * a date, or milliseconds since the Unix epoch.
 * @publicApi
 */
export type Authorize = (
  connection: SseConnection,
  rooms: readonly string[],
) => Authorized | Promise<Authorized>;

/**
 * Whether a connection may read the rooms, and until when.
 * @publicApi
 */
export type Authorized = boolean | { readonly until?: Date | number };

/** What is asked about: a stream that may be held or ended. */
export interface AuthorizedStream extends SseConnection {
  readonly opening: { hold(until: Promise<unknown>): void } | undefined;
  revoke(): void;
}

interface Grant {
  readonly authorize: Authorize;
  readonly rooms: readonly string[];
}

/**
 * Streams end up to 10 % (at most 5 s) early, at random, so that they do not all return at once.
 */
const JITTER = { share: 0.1, maxMs: 5_000 };

/**
 * What one connection was allowed to read, and until when. Only connections that are asked about
 * have one.
 */
export class Authorization {
  private readonly grants = new Set<Grant>();
  private readonly timers = new Map<Grant, NodeJS.Timeout>();
  isAsking = false;
  /** When it was asked last, as `performance.now()`. */
  askedAt = 0;

  constructor(private readonly connection: AuthorizedStream) {}

  /**
   * Calls `granted`, at once where the answer is there at once, or `refused` with what says no, for
   * which an open stream ends. Answers what takes the grant back.
   */
  ask(
    authorize: Authorize,
    rooms: readonly string[],
    granted: () => void,
    refused: (error: unknown) => void,
  ): () => void {
    // A timer asks again, still with the app's stores.
    const grant = { authorize: AsyncLocalStorage.bind(authorize), rooms };
    const forget = (): void => this.forget(grant);
    const take = (authorized: Authorized): void => {
      this.apply(grant, authorized);
      // It may have been taken back meanwhile.
      if (this.grants.has(grant)) granted();
    };
    const fail = (error: unknown): void => {
      forget();
      if (this.connection.state !== 'open') return refused(error);
      this.logTrouble(error);
      this.connection.revoke();
    };
    // What joins later does not put off the others.
    if (this.grants.size === 0) this.askedAt = performance.now();
    this.grants.add(grant);
    try {
      const answer = authorize(this.connection, rooms);
      if (isPromise(answer)) {
        const decided = answer.then(take).catch(fail);
        this.connection.opening?.hold(decided);
      } else take(answer);
    } catch (error) {
      fail(error);
    }
    return forget;
  }

  /** Asks again for all rooms; answers whether all are still allowed. */
  async askAgain(): Promise<boolean> {
    this.isAsking = true;
    this.askedAt = performance.now();
    try {
      await Promise.all(
        [...this.grants].map(async (grant) => {
          const authorized = await grant.authorize(this.connection, grant.rooms);
          // It may have been left meanwhile.
          if (this.grants.has(grant)) this.apply(grant, authorized);
        }),
      );
      return true;
    } catch (error) {
      this.logTrouble(error);
      return false;
    } finally {
      this.isAsking = false;
    }
  }

  /** With the connection. */
  end(): void {
    for (const grant of this.grants) this.forget(grant);
  }

  /** @throws ForbiddenException */
  private apply(grant: Grant, authorized: Authorized): void {
    // From code without types anything may come: all of that is no.
    const isYes = authorized === true || (typeof authorized === 'object' && authorized !== null);
    if (!isYes) throw new ForbiddenException();
    clearTimeout(this.timers.get(grant));
    if (authorized === true || authorized.until === undefined) return;
    const leftMs = Number(authorized.until) - Date.now();
    if (!(leftMs > 0)) throw new ForbiddenException();
    if (!this.grants.has(grant)) return;
    const delayMs = leftMs - Math.random() * Math.min(JITTER.maxMs, JITTER.share * leftMs);
    const timer = setTimeout(() => this.connection.revoke(), Math.min(delayMs, MAX_TIMER_MS));
    this.timers.set(grant, timer.unref());
  }

  /** An `HttpException` is a no; anything else keeps whoever was asked from answering. */
  private logTrouble(error: unknown): void {
    if (!(error instanceof HttpException)) logError(error, this.connection);
  }

  private forget(grant: Grant): void {
    clearTimeout(this.timers.get(grant));
    this.timers.delete(grant);
    this.grants.delete(grant);
  }
}

function isPromise(answer: Authorized | Promise<Authorized>): answer is Promise<Authorized> {
  return typeof answer === 'object' && answer !== null && 'then' in answer;
}
