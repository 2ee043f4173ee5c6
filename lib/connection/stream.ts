import { drawRetry } from '../options/retry.js';
import type { HttpRequest } from '../output/request.js';
import type { StreamResponse } from '../output/response.js';
import { openingFrame } from '../wire/control-frames.js';
import { encodeFrame } from '../wire/frame.js';
import type { ReturningClient } from '../wire/last-event-id.js';
import type { CloseReason } from './close-reason.js';
import { logError, quietly } from './connection-logger.js';
import { diagnostics } from './diagnostics.js';
import { Opening, type OpenedStream } from './opening.js';
import type { SlowClients } from './slow-clients.js';
import { StreamOutput, type OutputHost } from './stream-output.js';
import type { StreamSettings } from './stream-settings.js';
import { whatIsDue } from './upkeep.js';
import { attend, type AttendedStream } from './upkeep-tasks.js';

/** What a stream shares with all others, and reports to. */
export interface StreamHost extends OutputHost {
  readonly slowClients: SlowClients;
  opened(stream: Stream): void;
  closed(stream: Stream, reason: CloseReason): void;
  /** The response is over: the client has taken all of it, or has left. */
  gone(stream: Stream): void;
}

/**
 * The engine of an `SseConnection`. Every end comes to `end()`, and the first one counts.
 *
 * | end                  | by whom                         | what the client gets         | reason   |
 * | -------------------- | ------------------------------- | ---------------------------- | -------- |
 * | `close(reason)`      | the app, the source, `duration` | what was sent                | any      |
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
  /** Until the head is written. Frames and an end wait for that. */
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
    readonly returning?: ReturningClient,
  ) {
    super(response, settings, host);
    this.opening = new Opening(this, settings.openWithinMs);
    const mark = returning?.mark;
    if (mark !== undefined)
      this.cursor.keepMark(mark, host.slowClients.knows(mark, performance.now()));
    response.onClosed(this.onResponseClosed);
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

  /** Whether the client was cut so often for slowness that it is not sent its backlog again. */
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
    // The frames behind it carry later cursors.
    const { retry, keepAliveMs, headers, maxDurationMs } = this.settings;
    const frame = this.response.isHead
      ? ''
      : openingFrame(retry && drawRetry(retry), keepAliveMs, this.cursor.text);
    this.response.begin(
      headers,
      () => this.headWritten(frame),
      (error) => this.headRefused(error),
    );
    // Its opening could not be written.
    if (this.isOver) return;
    this.phase = 'open';
    this.begunAt = Date.now();
    // All that are due within the last twentieth are ended together.
    if (maxDurationMs !== undefined) {
      this.endsAt = performance.now() + maxDurationMs * (0.8 + 0.15 * Math.random());
    }
    opening.settle('begun');
    if (diagnostics.open.hasSubscribers) {
      const openingMs = Math.floor(performance.now()) - opening.arrivedAt;
      diagnostics.open.publish({ connection: this, openingMs });
    }
    // Unless somebody who heard of it has closed it.
    if (this.state === 'open') this.host.opened(this);
  }

  private headWritten(frame: string): void {
    this.outbox.open(frame);
    const closing = this.opening?.closing;
    this.opening = undefined;
    // Unless the opening frame could not be written.
    if (closing !== undefined && this.phase !== 'closed')
      this.end(closing, () => this.endResponse());
  }

  /** Somebody else has answered, such as the exception filter for an interceptor that refuses. */
  private headRefused(error: unknown): void {
    if (this.phase !== 'closed') this.end('error', () => this.outbox.discard());
    if (error === undefined) return;
    logError(error, this);
    this.response.raw.destroy();
  }

  close(reason: CloseReason = 'server'): void {
    if (this.isOver) return;
    // What its handler answers is no stream, and still comes.
    if (this.opening?.forbidden !== undefined) return;
    this.open();
    // Unless it was closed by somebody who heard that it opens.
    if (this.state !== 'open') return;
    if (this.opening === undefined) return this.end(reason, () => this.endResponse());
    this.opening.closing = reason;
    this.endSource();
  }

  /**
   * Draws a new reconnection time: clients that are sent away together must not return together.
   */
  closeForShutdown(): void {
    if (this.isOver || this.opening?.forbidden !== undefined) return;
    const { retry } = this.settings;
    if (retry !== undefined && !this.response.isHead) {
      this.pushLast(encodeFrame({ retry: drawRetry(retry) }));
    }
    this.close('shutdown');
  }

  /** Ends the stream, and tells the client that it may not have it any more. */
  revoke(): void {
    // A stream that has not begun has nothing to end. An `opened$` listener that throws must not
    // stop the others from being revoked.
    if (this.phase === 'opening') return this.destroy('auth');
    if (this.state === 'open') this.sendLast('sse-end', { reason: 'auth' });
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

  /** Ends this connection, and no other, for what went wrong with it. Never throws. */
  failed(error: unknown): void {
    if (this.phase !== 'closed') {
      diagnostics.error.publish({ error, connection: this, broadcaster: undefined });
      logError(error, this);
    }
    quietly(this, () => this.destroy('error'));
  }

  /** The client's next request comes on another session of HTTP/2. */
  endSession(): void {
    this.response.endSession();
  }

  /** The source of the stream, which ends with it. */
  onEnd(subscription: { unsubscribe(): void }): void {
    if (this.isOver) subscription.unsubscribe();
    else this.subscription = subscription;
  }

  /** Whether what this gets is written to the stream with nothing in between. */
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

  /** It runs the app's own `finalize()`; the connection ends even if that throws. */
  private endSource(): void {
    quietly(this, () => this.inContext(() => this.subscription?.unsubscribe()));
  }

  private readonly onResponseClosed = (): void => {
    if (this.phase !== 'closed') this.end(this.whyClosed(), () => this.outbox.discard());
    // HTTP/2 closes in the midst of `end()`, before the host knows that the stream has ended.
    queueMicrotask(() => this.host.gone(this));
  };

  private whyClosed(): CloseReason {
    if (this.opening !== undefined && this.response.raw.headersSent) return 'error';
    return this.response.isCutHere ? 'server' : 'client';
  }

  /** Does what is due now, and answers when to check again; as `performance.now()`. */
  check(now: number): number {
    const { blockedAt } = this.outbox;
    // Its first byte is still to come.
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
