import { AsyncLocalStorage } from 'node:async_hooks';
import { Subject, type Observable } from 'rxjs';
import { Admission, type Refusal } from './admission.js';
import { Turn } from '../output/batch.js';
import { diagnostics } from './diagnostics.js';
import type { RefusalReason } from './diagnostics.js';
import { endInTurn } from './drain.js';
import { endIfStuck, Http2Sessions } from '../output/http2-sessions.js';
import type { HttpRequest } from '../output/request.js';
import { logError, ConnectionLogger } from './connection-logger.js';
import { BrowserStreams } from './browser-streams.js';
import { warnOfHeldBackStreams } from '../ground/warnings.js';
import { HELD_BACK } from '../wire/protocol.js';
import type { ConnectionsOptions } from './connections.options.js';
import { SlowClients } from './slow-clients.js';
import type { CloseReason } from './close-reason.js';
import type { Identify } from './identify.js';
import { SseConnections, type ClosedConnection } from './sse-connections.js';
import type { SseConnection } from './sse-connection.js';
import type { Stream, StreamHost } from './stream.js';

/** Sends revocations to all processes, including this one. */
export interface RevocationChannel {
  /** Revokes every connection that has all these facts. */
  revoke(facts: Readonly<Record<string, string | number | boolean>>): Promise<void>;
  onRevoke(listener: (isMeant: (connection: SseConnection) => boolean) => void): void;
}

/** The share of a drain in which streams are ended. The rest is for clients to read the end. */
const DRAIN_SHARE = 0.8;

/** All connections are checked together, at most this often, and four times per interval. */
const MAX_PULSE_GAP_MS = 500;
/** A timer that is later than this follows a stall of the process. */
const LATE_MS = 200;

/**
 * The engine of `SseConnections`: admits, tracks, checks and drains all streams of this process. A
 * stream is in at most one of `opening`, `open` and `leaving`.
 */
export class Registry extends SseConnections implements StreamHost {
  readonly turn = new Turn();
  readonly slowClients = new SlowClients();

  /** From the handler's call to the first byte. */
  private readonly opening = new Set<Stream>();
  private readonly open = new Set<Stream>();
  /** Ended here; the client has not read the end yet. */
  private readonly leaving = new Set<Stream>();
  private readonly opens = new Subject<Stream>();
  private readonly closes = new Subject<ClosedConnection>();
  private nextPulse: { readonly at: number; readonly timer: NodeJS.Timeout } | undefined;
  private readonly outside = AsyncLocalStorage.snapshot();
  private pulseGapMs = MAX_PULSE_GAP_MS;
  private draining: { onEmpty?: () => void } | undefined;
  readonly identify: Identify | undefined;
  private readonly admission: Admission;
  private readonly logger = new ConnectionLogger();
  private readonly browsers = new BrowserStreams();
  private readonly sessions = new Http2Sessions();

  readonly opened$: Observable<Stream> = this.opens.asObservable();
  readonly closed$: Observable<ClosedConnection> = this.closes.asObservable();

  constructor(
    private readonly revocations: RevocationChannel,
    { limits, identify }: ConnectionsOptions = {},
  ) {
    super();
    this.identify = identify;
    this.admission = new Admission(limits);
    revocations.onRevoke((isMeant) => void this.revoke(isMeant));
  }

  get count(): number {
    return this.open.size;
  }

  list(): Stream[] {
    return [...this.open];
  }

  find(predicate: (connection: Stream) => boolean): Stream | undefined {
    for (const connection of this.open) if (predicate(connection)) return connection;
    return undefined;
  }

  closeAll(reason: CloseReason = 'server'): void {
    for (const connection of this.list()) guarded(connection, () => connection.close(reason));
  }

  revoke(predicate: (connection: Stream) => boolean): number {
    const revoked = [...this.opening, ...this.open].filter(predicate);
    for (const connection of revoked) guarded(connection, () => connection.revoke());
    return revoked.length;
  }

  revokeEverywhere(facts: Readonly<Record<string, string | number | boolean>>): Promise<void> {
    return this.revocations.revoke(facts);
  }

  /** While true, new connections are refused. */
  get isDraining(): boolean {
    return this.draining !== undefined;
  }

  /**
   * Ends all streams one after the other, so that their clients do not all reconnect at once.
   * Destroys the sockets of clients that have not read the end in time.
   */
  async drain(timeoutMs: number): Promise<void> {
    const draining: { onEmpty?: () => void } = (this.draining = {});
    const deadline = performance.now() + timeoutMs;
    this.sessions.endAll();
    await endInTurn(this, timeoutMs * DRAIN_SHARE, (connection) =>
      guarded(connection, () => connection.closeForShutdown()),
    );
    if (this.left > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - performance.now());
        draining.onEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const connection of [...this.opening, ...this.open, ...this.leaving]) {
      guarded(connection, () => connection.destroy('shutdown'));
    }
    clearTimeout(this.nextPulse?.timer);
    this.opens.complete();
    this.closes.complete();
  }

  /** Counts all three sets: an open stream may have been closed before its head was written. */
  private get left(): number {
    return this.opening.size + this.open.size + this.leaving.size;
  }

  /** Takes a slot for a request, or returns why there is none. The end of the stream frees it. */
  admit(request: HttpRequest): Refusal | undefined {
    return this.admission.enter(request);
  }

  /** Like `admit()`, for a request that takes no slot. */
  admitUncounted(request: HttpRequest): undefined {
    this.admission.enterUncounted(request);
  }

  refused(reason: RefusalReason, request: HttpRequest, trouble?: string): void {
    diagnostics.refuse.publish({ reason, request, connections: this });
    this.logger.refusal(reason, request, this.count, trouble);
  }

  add(connection: Stream): void {
    this.opening.add(connection);
    const { session } = connection;
    if (session !== undefined) this.sessions.add(session);
  }

  opened(connection: Stream): void {
    this.opening.delete(connection);
    this.open.add(connection);
    const {
      keepAliveMs = Infinity,
      stallTimeoutMs = Infinity,
      maxDurationMs = Infinity,
    } = connection.settings;
    this.pulseGapMs = Math.min(
      this.pulseGapMs,
      keepAliveMs / 4,
      stallTimeoutMs / 4,
      maxDurationMs / 20,
    );
    this.schedulePulse(connection.check(performance.now()));
    const { request } = connection;
    notify(connection, () => this.logger.opened(connection, this.count));
    notify(connection, () => warnIfHeldBack(request));
    notify(connection, () => this.browsers.opened(request));
    notify(connection, () => this.opens.next(connection));
    if (this.isDraining) connection.close('shutdown');
  }

  closed(connection: Stream, reason: CloseReason): void {
    this.admission.leave(connection.request);
    this.opening.delete(connection);
    if (reason === 'overflow' || reason === 'stall') this.wasSlow(connection);
    if (!this.open.delete(connection)) return;
    this.leaving.add(connection);
    this.schedulePulse(connection.check(performance.now()));
    this.browsers.closed(connection.request);
    notify(connection, () => this.logger.closed(connection, reason, this.count));
    notify(connection, () => this.closes.next({ connection, reason }));
  }

  private wasSlow({ cursor: { mark }, session }: Stream): void {
    if (mark !== undefined) this.slowClients.cut(mark, performance.now());
    if (session !== undefined) endIfStuck(session);
  }

  gone(connection: Stream): void {
    this.leaving.delete(connection);
    if (this.left === 0) this.draining?.onEmpty?.();
  }

  /** One timer serves the keep-alives and stall checks of all connections. */
  schedulePulse(time: number): void {
    if (time === Infinity || (this.nextPulse !== undefined && this.nextPulse.at <= time)) return;
    clearTimeout(this.nextPulse?.timer);
    // Inside, the timer would keep the connection that starts it, and the app's stores, in memory.
    const pulse = (): void => {
      // After a stall of the process, timers run before sockets. Clients that read during it need
      // this long to get the rest of a write, before they count as blocked.
      if (performance.now() - time > LATE_MS) setTimeout(this.pulse, LATE_MS).unref();
      else this.pulse();
    };
    const timer = this.outside(() => setTimeout(pulse, Math.ceil(time - performance.now())));
    timer.unref();
    this.nextPulse = { at: time, timer };
  }

  private readonly pulse = (): void => {
    const now = performance.now();
    let next = Infinity;
    this.nextPulse = undefined;
    const check = (connection: Stream): void =>
      guarded(connection, () => (next = Math.min(next, connection.check(now))));
    this.open.forEach(check);
    this.leaving.forEach(check);
    // Connections that are due within the gap are checked in one pulse.
    this.schedulePulse(Math.max(next, now + this.pulseGapMs));
  };
}

/** A listener that throws, such as the app's logger, must not affect the connection. */
function notify(connection: Stream, tell: () => void): void {
  try {
    tell();
  } catch (error) {
    logError(error, connection);
  }
}

/** An error of one connection ends that connection. The others are still served. */
function guarded(connection: Stream, serve: () => void): void {
  try {
    serve();
  } catch (error) {
    connection.failed(error);
  }
}

/** A client of this library reports held-back streams. The server itself cannot notice them. */
function warnIfHeldBack({ headers }: HttpRequest): void {
  if (headers.accept?.includes(HELD_BACK)) warnOfHeldBackStreams();
}
