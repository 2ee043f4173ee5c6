import { AsyncLocalStorage } from 'node:async_hooks';
import { ForbiddenException, HttpException } from '@nestjs/common';
import type { SseConnection } from './sse-connection.js';
import { logError } from './connection-logger.js';
import { MAX_TIMER_MS } from '../ground/timers.js';

/**
 * Decides whether a connection may read rooms of a hub. Called when a stream joins the rooms,
 * before anything is replayed, and again at each keep-alive interval while the stream is open.
 * Identify the client by `connection.data` and `connection.request`.
 * - It returns true: the connection may read the rooms.
 * - It returns `{ until }`: allowed until this time.
 * - It returns false before the stream begins: the client gets 403.
 * - It throws before the stream begins: the client gets the status of the error.
 * - It returns false or throws later: the client gets `event: sse-end` with `{"reason":"auth"}`,
 *   and the stream ends.
 * @example `authorize: ({ data }, rooms) => rooms.every((room) => room === data['room'])`
 * @publicApi
 */
export type Authorize = (
  connection: SseConnection,
  rooms: readonly string[],
) => Authorized | Promise<Authorized>;

/**
 * Whether a connection may read the rooms. `until` is a date or milliseconds since the Unix epoch;
 * the stream ends up to 10 % of the remaining time earlier (at most 5 s), at random, so that
 * clients do not all reconnect at once.
 * @publicApi
 */
export type Authorized = boolean | { readonly until?: Date | number };

/** The part of a stream that an authorization can hold or end. */
export interface AuthorizedStream extends SseConnection {
  readonly opening: { hold(until: Promise<unknown>): void } | undefined;
  revoke(): void;
}

interface Grant {
  readonly authorize: Authorize;
  readonly rooms: readonly string[];
  /** The stream that may give rooms of it back, if its rooms can change. */
  readonly owner?: object | undefined;
}

/**
 * Streams end up to 10 % (at most 5 s) early, at random, so that they do not all return at once.
 */
const JITTER = { share: 0.1, maxMs: 5_000 };

/** The grants of one connection. Only connections with an `authorize` have one. */
export class Authorization {
  private readonly grants = new Set<Grant>();
  private readonly timers = new Map<Grant, NodeJS.Timeout>();
  isAsking = false;
  /** When `authorize` was last called, as `performance.now()`. */
  askedAt = 0;

  constructor(private readonly connection: AuthorizedStream) {}

  /**
   * Calls `granted`, synchronously if `authorize` is synchronous, or `refused` with the error. An
   * open stream is ended instead. Returns a function that gives the grant back.
   */
  ask(
    authorize: Authorize,
    rooms: readonly string[],
    granted: () => void,
    refused: (error: unknown) => void,
    owner?: object,
  ): () => void {
    // Bound, because a timer calls it again, with the app's async context.
    const grant = { authorize: AsyncLocalStorage.bind(authorize), rooms, owner };
    const forget = (): void => this.forget(grant);
    const take = (authorized: Authorized): void => {
      this.apply(grant, authorized);
      // The grant may have been given back while `authorize` ran.
      if (this.grants.has(grant)) granted();
    };
    const fail = (error: unknown): void => {
      forget();
      if (this.connection.state !== 'open') return refused(error);
      this.logTrouble(error);
      this.connection.revoke();
    };
    // A later grant must not postpone the check of earlier ones.
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

  /**
   * Like `ask()`, for rooms that join an open stream: it rejects, and the stream goes on.
   * @throws what `authorize` throws; ForbiddenException for false
   */
  async askToJoin(authorize: Authorize, rooms: readonly string[], owner: object): Promise<void> {
    const grant = { authorize: AsyncLocalStorage.bind(authorize), rooms, owner };
    const authorized = await authorize(this.connection, rooms);
    if (this.connection.state === 'closed') return;
    if (this.grants.size === 0) this.askedAt = performance.now();
    // Not before the answer: the check of open streams would end the stream for a refused room.
    this.grants.add(grant);
    try {
      this.apply(grant, authorized);
    } catch (error) {
      this.forget(grant);
      throw error;
    }
  }

  /** Gives rooms back that have left a stream: `authorize` is no longer asked about them. */
  giveBack(owner: object, rooms: readonly string[]): void {
    for (const grant of this.grants) {
      if (grant.owner !== owner || !grant.rooms.some((room) => rooms.includes(room))) continue;
      const rest = grant.rooms.filter((room) => !rooms.includes(room));
      const timer = this.timers.get(grant);
      this.grants.delete(grant);
      this.timers.delete(grant);
      if (rest.length === 0) {
        clearTimeout(timer);
        continue;
      }
      // Another grant, so that an answer about all of them, which may be to come, does not count.
      const smaller = { ...grant, rooms: rest };
      this.grants.add(smaller);
      if (timer !== undefined) this.timers.set(smaller, timer);
    }
  }

  /** Calls `authorize` again for all rooms. Resolves with whether all are still allowed. */
  async askAgain(): Promise<boolean> {
    this.isAsking = true;
    this.askedAt = performance.now();
    try {
      await Promise.all([...this.grants].map((grant) => this.askFor(grant)));
      return true;
    } catch (error) {
      this.logTrouble(error);
      return false;
    } finally {
      this.isAsking = false;
    }
  }

  private async askFor(grant: Grant): Promise<void> {
    try {
      const authorized = await grant.authorize(this.connection, grant.rooms);
      if (this.grants.has(grant)) this.apply(grant, authorized);
    } catch (error) {
      // The rooms may have been left while `authorize` ran.
      if (this.grants.has(grant)) throw error;
    }
  }

  /** Called when the connection ends. */
  end(): void {
    for (const grant of this.grants) this.forget(grant);
  }

  /** @throws ForbiddenException */
  private apply(grant: Grant, authorized: Authorized): void {
    // Untyped code may return anything. Everything but true and an object means no.
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

  /** An `HttpException` is a refusal. Anything else is a failure of `authorize`, and is logged. */
  private logTrouble(error: unknown): void {
    if (!(error instanceof HttpException)) logError(error, this.connection);
  }

  private forget(grant: Grant): void {
    clearTimeout(this.timers.get(grant));
    this.timers.delete(grant);
    this.grants.delete(grant);
  }
}

/** Whether an answer is still to come. */
export function isPromise(answer: Authorized | Promise<Authorized>): answer is Promise<Authorized> {
  return typeof answer === 'object' && answer !== null && 'then' in answer;
}
