import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import { Turn } from './batch.js';
import { SlowClients } from './slow-clients.js';
import type { CloseReason, ConnectionHost, SseConnection } from './connection.js';

/**
 * A connection that has ended, and why.
 * @publicApi
 */
export interface ClosedConnection {
  readonly connection: SseConnection;
  readonly reason: CloseReason;
}

/** All connections are looked at together, not more often than this and than a quarter of the shortest interval. */
const MAX_PULSE_GAP_MS = 500;

/**
 * All connections of this process.
 * @example
 * ```ts
 * signOut(user: string): void {
 *   this.connections.find((connection) => connection.data['user'] === user)?.close('sign-out');
 * }
 * ```
 * @publicApi
 */
@Injectable()
export class SseConnections implements ConnectionHost {
  /** @internal */
  readonly turn = new Turn();

  /** From the handler's call to the first byte. */
  private readonly opening = new Set<SseConnection>();
  private readonly open = new Set<SseConnection>();
  /** Ended here, but the client has not taken the end yet. */
  private readonly leaving = new Set<SseConnection>();
  private readonly slow = new SlowClients();
  private readonly opens = new Subject<SseConnection>();
  private readonly closes = new Subject<ClosedConnection>();
  private pulse: { readonly at: number; readonly timer: NodeJS.Timeout } | undefined;
  private readonly outside = AsyncLocalStorage.snapshot();
  private pulseGapMs = MAX_PULSE_GAP_MS;
  private draining: { onEmpty?: () => void } | undefined;

  /** Each connection, when its stream begins. */
  readonly opened$: Observable<SseConnection> = this.opens.asObservable();
  /** Each connection whose stream had begun, once, when it ends. */
  readonly closed$: Observable<ClosedConnection> = this.closes.asObservable();

  /** How many streams are open. */
  get count(): number {
    return this.open.size;
  }

  /** The open streams, oldest first. */
  list(): SseConnection[] {
    return [...this.open];
  }

  /** The oldest open stream for which `predicate` answers true. */
  find(predicate: (connection: SseConnection) => boolean): SseConnection | undefined {
    for (const connection of this.open) if (predicate(connection)) return connection;
    return undefined;
  }

  /** Ends all open streams; new ones may follow. */
  closeAll(reason: CloseReason = 'server'): void {
    for (const connection of this.list()) connection.close(reason);
  }

  /** @internal No newcomers any more. */
  get isDraining(): boolean {
    return this.draining !== undefined;
  }

  /** @internal Ends all streams for good; destroys the sockets of clients that have not taken the end in time. */
  async drain(timeoutMs: number): Promise<void> {
    const draining: { onEmpty?: () => void } = (this.draining = {});
    this.closeAll('shutdown');
    if (this.opening.size + this.leaving.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        draining.onEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const connection of [...this.opening, ...this.leaving]) connection.destroy('shutdown');
    clearTimeout(this.pulse?.timer);
    this.opens.complete();
    this.closes.complete();
  }

  /** @internal */
  add(connection: SseConnection): void {
    this.opening.add(connection);
  }

  /** @internal */
  opened(connection: SseConnection): void {
    this.opening.delete(connection);
    this.open.add(connection);
    const { keepAliveMs = Infinity, stallTimeoutMs = Infinity } = connection.settings;
    this.pulseGapMs = Math.min(this.pulseGapMs, keepAliveMs / 4, stallTimeoutMs / 4);
    this.lookAt(connection.check(performance.now()));
    this.opens.next(connection);
    if (this.isDraining) connection.close('shutdown');
  }

  /** @internal */
  closed(connection: SseConnection, reason: CloseReason): void {
    if (this.open.delete(connection)) {
      this.leaving.add(connection);
      this.lookAt(connection.check(performance.now()));
      this.closes.next({ connection, reason });
    }
    this.opening.delete(connection);
    if (reason !== 'overflow' && reason !== 'stall') return;
    const { place, lastEventId, sentCursor } = connection;
    this.slow.cut(place, lastEventId, sentCursor, Date.now());
  }

  /** @internal */
  isOftenCut({ place, lastEventId }: SseConnection): boolean {
    return this.slow.isOften(place, lastEventId, Date.now());
  }

  /** @internal */
  gone(connection: SseConnection): void {
    this.leaving.delete(connection);
    if (this.opening.size + this.leaving.size === 0) this.draining?.onEmpty?.();
  }

  /** One timer for the keep-alives and stall checks of all connections. */
  private lookAt(time: number): void {
    if (time === Infinity || (this.pulse !== undefined && this.pulse.at <= time)) return;
    clearTimeout(this.pulse?.timer);
    // Outside, or the timer would keep the connection that happens to arm it, and the app's stores.
    const timer = this.outside(() => setTimeout(this.look, Math.ceil(time - performance.now())));
    timer.unref();
    this.pulse = { at: time, timer };
  }

  private readonly look = (): void => {
    const now = performance.now();
    let next = Infinity;
    this.pulse = undefined;
    for (const connection of this.open) next = Math.min(next, connection.check(now));
    for (const connection of this.leaving) next = Math.min(next, connection.check(now));
    // Those that are due at slightly different times are served together.
    this.lookAt(Math.max(next, now + this.pulseGapMs));
  };
}
