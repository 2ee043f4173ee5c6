import type { Http2Session } from 'node:http2';
import { drawRetry } from '../options/retry.js';
import type { Encoder } from '../output/encoder.js';
import type { HttpRequest } from '../output/request.js';
import type { StreamResponse } from '../output/response.js';
import { openingFrame } from '../wire/control-frames.js';
import { encodeFrame } from '../wire/frame.js';
import { parsePrefixed, type ReturningClient } from '../wire/last-event-id.js';
import type { CloseReason } from './close-reason.js';
import { logError, quietly } from './connection-logger.js';
import { breaksAt } from './controls.js';
import { diagnostics } from './diagnostics.js';
import { Opening, type OpenedStream } from './opening.js';
import type { SlowClients } from './slow-clients.js';
import { StreamOutput, type OutputHost } from './stream-output.js';
import type { StreamSettings } from './stream-settings.js';
import { whatIsDue } from './upkeep.js';
import { attend, type AttendedStream } from './upkeep-tasks.js';

/** The state that all streams of a process share. Streams report their start and end to it. */
export interface StreamHost extends OutputHost {
  readonly slowClients: SlowClients;
  opened(stream: Stream): void;
  closed(stream: Stream, reason: CloseReason): void;
  /** The response has closed: the client has read all of it, or has left. */
  gone(stream: Stream): void;
}

/**
 * The engine of an `SseConnection`. Every end goes through `end()`, and the first one counts.
 *
 * | end                  | called by                       | what the client gets         | reason   |
 * | -------------------- | ------------------------------- | ---------------------------- | -------- |
 * | `close(reason)`      | the app, the source, `duration` | everything, or as `early`    | any      |
 * | `closeForShutdown()` | the drain                       | that, and a new `retry:`     | shutdown |
 * | `revoke()`           | `authorize`, `revoke()`         | that, and `sse-end`          | auth     |
 * | `destroy(reason)`    | stall, overflow, a drain's end  | a broken connection          | any      |
 * | `failed(error)`      | anything that throws            | a broken connection          | error    |
 * | `opening.refuse()`   | the source, before it begins    | an exception filter's answer | error    |
 * | `opening.abandon()`  | an answer that is no stream     | that answer                  | error    |
 * | the response closes  | the client                      | nothing                      | client   |
 * | the socket is cut    | something in this process       | a broken connection          | server   |
 */
export class Stream extends StreamOutput implements OpenedStream, AttendedStream {
  /** Set until the head is written. Frames and an end wait for that. */
  opening: Opening | undefined;
  private begunAt: number | undefined;
  /** As `performance.now()`. */
  private endsAt = Infinity;
  private subscription: { unsubscribe(): void } | undefined;

  constructor(
    readonly request: HttpRequest,
    private readonly response: StreamResponse,
    readonly settings: StreamSettings,
    readonly host: StreamHost,
    /** Absent for a client without a last event ID. */
    public returning?: ReturningClient,
  ) {
    super(response, settings, host);
    this.opening = new Opening(this, settings.openWithinMs);
    this.keepMark();
    response.onClosed(this);
  }

  private keepMark(): void {
    const mark = this.returning?.mark;
    if (mark === undefined) return;
    this.cursor.keepMark(mark, this.host.slowClients.knows(mark, performance.now()));
  }

  /**
   * From now on, ids begin with this, and what the client brought is read accordingly.
   * @throws SseOptionsError if another stream of the connection has other ids
   */
  usePrefix(prefix: string | undefined): void {
    if (prefix === this.cursor.tail?.prefix) return;
    this.cursor.usePrefix(prefix);
    if (prefix === undefined || this.returning === undefined) return;
    this.returning = parsePrefixed(this.returning.text, prefix);
    this.keepMark();
  }

  get lastEventId(): string | undefined {
    return this.returning?.text;
  }

  get openedAt(): number | undefined {
    return this.begunAt;
  }

  get state(): 'opening' | 'open' | 'closed' {
    return this.opening?.closing === undefined ? this.phase : 'closed';
  }

  /** Whether the client was cut for slowness so often that it gets no more replays. */
  get isOftenCut(): boolean {
    const { mark } = this.cursor;
    return mark !== undefined && this.host.slowClients.isOften(mark, performance.now());
  }

  /** Sends the headers and the opening frame. A second call does nothing. */
  open(): void {
    const { opening } = this;
    if (this.phase !== 'opening' || opening === undefined) return;
    if (opening.forbidden !== undefined) throw opening.forbidden;
    this.inContext(() => this.writeOpening(opening));
  }

  private writeOpening(opening: Opening): void {
    // Take the cursor now: frames that are pushed before the head is written carry later ones.
    const { retry, keepAliveMs, maxDurationMs } = this.settings;
    const frame = this.response.isHead
      ? ''
      : openingFrame(retry && drawRetry(retry), keepAliveMs, this.cursor.text);
    this.response.begin(
      this.settings,
      (encoder) => this.headWritten(frame, encoder),
      (error) => this.headRefused(error),
    );
    // The opening frame could not be written.
    if (this.isOver) return;
    this.phase = 'open';
    this.begunAt = Date.now();
    // 0.15, not 0.2: a pulse ends all streams together that are due within a twentieth.
    if (maxDurationMs !== undefined) {
      this.endsAt = performance.now() + maxDurationMs * (0.8 + 0.15 * Math.random());
    }
    opening.settle('begun');
    if (diagnostics.open.hasSubscribers) {
      const openingMs = Math.floor(performance.now()) - opening.arrivedAt;
      diagnostics.open.publish({ connection: this, openingMs });
    }
    // A listener on the channel may have closed it.
    if (this.state === 'open') this.host.opened(this);
  }

  private headWritten(frame: string, encoder: Encoder | undefined): void {
    this.outbox.open(frame, encoder);
    const closing = this.opening?.closing;
    this.opening = undefined;
    // The opening frame may have failed.
    if (closing !== undefined && this.phase !== 'closed')
      this.end(closing, () => this.endResponse());
  }

  /** Something else answered, such as an exception filter for an interceptor that refused. */
  private headRefused(error: unknown): void {
    if (this.phase !== 'closed') this.end('error', () => this.outbox.discard());
    if (error === undefined) return;
    logError(error, this);
    this.response.raw.destroy();
  }

  close(reason: CloseReason = 'server'): void {
    // The handler's answer, which is not a stream, may still be to come.
    if (this.isOver || this.opening?.forbidden !== undefined) return;
    if (breaksAt(reason, this.settings)) return this.destroy(reason);
    this.open();
    if (this.state !== 'open') return;
    if (this.opening === undefined) return this.end(reason, () => this.endResponse());
    this.opening.closing = reason;
    this.endSource();
  }

  /** Sends a new random reconnection time, so that clients of a drain do not all return at once. */
  closeForShutdown(): void {
    if (this.isOver || this.opening?.forbidden !== undefined) return;
    const { retry } = this.settings;
    if (retry !== undefined && !this.response.isHead) {
      this.pushLast(encodeFrame({ retry: drawRetry(retry) }));
    }
    this.close('shutdown');
  }

  /** Ends the stream and sends the client an `sse-end`, so that it does not reconnect. */
  revoke(): void {
    // A stream that has not begun has nothing to end. An `opened$` listener that throws must not
    // stop the others from being revoked.
    if (this.phase === 'opening') return this.destroy('auth');
    // What `controls` has may throw, too.
    if (this.state === 'open') quietly(this, () => this.sendLast('sse-end', { reason: 'auth' }));
    this.close('auth');
  }

  /** Ends the connection, or what is left of it, without waiting for the client. */
  destroy(reason: CloseReason): void {
    if (this.phase !== 'closed') this.end(reason, () => this.outbox.discard());
    this.response.raw.destroy();
  }

  endUnopened(): void {
    if (this.phase === 'opening') this.end('error', () => this.outbox.discard());
  }

  /** Ends this connection because of an error of its own. Never throws. */
  failed(error: unknown): void {
    if (this.phase !== 'closed') {
      diagnostics.error.publish({ error, connection: this, broadcaster: undefined });
      logError(error, this);
    }
    quietly(this, () => this.destroy('error'));
  }

  get session(): Http2Session | undefined {
    return this.response.session;
  }

  /** Sets the source, which ends with the stream. */
  onEnd(subscription: { unsubscribe(): void }): void {
    if (this.isOver) subscription.unsubscribe();
    else this.subscription = subscription;
  }

  /** Whether values of this subscriber are written to the stream directly, without operators. */
  isWrittenBy(subscriber: unknown): boolean {
    return this.subscription === subscriber;
  }

  private end(reason: CloseReason, finish: () => void): void {
    this.inContext(() => this.endInContext(reason, finish));
  }

  private endInContext(reason: CloseReason, finish: () => void): void {
    const wasOpen = this.phase === 'open';
    this.phase = 'closed';
    this.reason = reason;
    this.allowed?.end();
    this.endSource();
    if (!quietly(this, finish)) quietly(this, () => this.response.raw.destroy());
    this.opening?.settle('abandoned');
    this.announceEnd(reason);
    if (wasOpen && diagnostics.close.hasSubscribers) {
      const durationMs = Date.now() - (this.begunAt ?? 0);
      diagnostics.close.publish({ connection: this, reason, durationMs });
    }
    this.host.closed(this, reason);
  }

  private endResponse(): void {
    this.response.allowEnd();
    this.outbox.end();
  }

  /** This runs the app's `finalize()`. The connection ends even if that throws. */
  private endSource(): void {
    quietly(this, () => this.inContext(() => this.subscription?.unsubscribe()));
  }

  responseClosed(): void {
    if (this.phase !== 'closed') this.end(this.whyClosed(), () => this.outbox.discard());
    // HTTP/2 emits 'close' inside `end()`, before the host knows that the stream has ended.
    queueMicrotask(() => this.host.gone(this));
  }

  private whyClosed(): CloseReason {
    if (this.opening !== undefined && this.response.raw.headersSent) return 'error';
    return this.response.isCutHere ? 'server' : 'client';
  }

  /** Does what is due now. Returns when to check again, as `performance.now()`. */
  check(now: number): number {
    const { blockedAt } = this.outbox;
    // Nothing has been written yet.
    const activeAt = this.opening === undefined ? this.outbox.activeAt : now;
    const { keepAliveMs, stallTimeoutMs } = this.settings;
    const { endsAt, allowed: authorization } = this;
    const isOpen = this.state === 'open';
    const { task, next } = whatIsDue(
      { isOpen, activeAt, blockedAt, endsAt, authorization, keepAliveMs, stallTimeoutMs },
      now,
    );
    if (task !== undefined) attend(this, task);
    return next;
  }
}
