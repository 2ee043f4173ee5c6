import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { Authorization } from './authorization.js';
import type { Waiting } from '../output/backlog.js';
import type { Turn } from '../output/batch.js';
import { Deferred } from '../ground/deferred.js';
import { ClientCursor } from './client-cursor.js';
import { markIn } from '../wire/cursor.js';
import { cursorFrame, keepAliveFrame, openingFrame } from '../wire/control-frames.js';
import { drawRetry } from '../options/retry.js';
import { diagnostics } from './diagnostics.js';
import { SseClosedError } from '../ground/errors.js';
import { HubEvent } from '../log/event.js';
import { encodeFrame, type SseMessage } from '../wire/frame.js';
import { Outbox, type OutboxOwner } from '../output/outbox.js';
import { lastEventIdOf, type HttpRequest, type StreamResponse } from '../output/response.js';
import type { SlowClients } from './slow-clients.js';
import { logError } from './connection-logger.js';
import type { StreamSettings } from './stream-settings.js';
import { ASK_AGAIN_MS, whatIsDue, type Task } from './upkeep.js';

/** @internal What the library itself gives as a reason. */
export const CLOSE_REASONS = [
  'client',
  'complete',
  'error',
  'server',
  'stall',
  'overflow',
  'shutdown',
  'duration',
  'auth',
] as const;

/**
 * Why a connection ended: the client left, the source completed or failed, `close()` was called or something else in this process cut it
 * (`server`), the client took
 * nothing (`stall`) or too little (`overflow`), the app shut down, it was open for
 * `maxDurationMs` (`duration`), its client may not read it any more (`auth`); or the text that was given to `close()`.
 * @publicApi
 */
export type CloseReason = (typeof CLOSE_REASONS)[number] | (string & {});

/** What a connection shares with all others, and reports to. */
export interface ConnectionHost {
  readonly turn: Turn;
  readonly slowClients: SlowClients;
  opened(connection: SseConnection): void;
  closed(connection: SseConnection, reason: CloseReason): void;
  /** The response is over: the client has taken all of it, or has left. */
  gone(connection: SseConnection): void;
  /** Calls `check()` then, or earlier; as `performance.now()`. */
  lookAt(time: number): void;
}

/**
 * One open stream: one HTTP response. Handlers get theirs by `@Connection()`.
 * @publicApi
 */
export class SseConnection implements OutboxOwner {
  private phase: 'opening' | 'open' | 'closed' = 'opening';
  private begunAt: number | undefined;
  /** A turn after the stream has begun, or later where Fastify's hooks take their time; until then its frames wait. */
  private isHeadWritten = false;
  private reason: CloseReason | undefined;
  /** It was closed before its head was written, and ends with it. */
  private ending: CloseReason | undefined;
  /** The app's stores, for what it runs when the client leaves or a timer ends the stream. */
  private readonly context = new AsyncResource('SseConnection', { requireManualDestroy: true });
  private readonly outbox: Outbox;
  private readonly arrivedAt = Math.floor(performance.now());
  /** As `performance.now()`. */
  private endsAt = Infinity;
  private events = 0;
  private bytes = 0;
  /** Made when it is asked for, as is all that few connections need. */
  private uuid: string | undefined;
  private facts: Record<string, unknown> | undefined;
  /** @internal What the client comes back with. */
  readonly cursor = new ClientCursor();
  private allowed: Authorization | undefined;
  private awaited: Promise<unknown> | undefined;
  private begun: (() => void) | undefined;
  private subscription: { unsubscribe(): void } | undefined;
  private abort: AbortController | undefined;
  private ended: Deferred<CloseReason> | undefined;

  /** @internal */
  constructor(
    /** The request as the platform hands it to handlers. */
    readonly request: HttpRequest,
    private readonly response: StreamResponse,
    /** @internal */
    readonly settings: StreamSettings,
    /** @internal */
    readonly host: ConnectionHost,
  ) {
    this.outbox = new Outbox(response.raw, host.turn, settings, this);
    const { lastEventId } = this;
    const mark = lastEventId === undefined ? undefined : markIn(lastEventId);
    if (mark !== undefined) this.cursor.keepMark(mark, host.slowClients.knows(mark, Date.now()));
    response.onClosed(this.onResponseClosed);
  }

  /** Unique among all processes. */
  get id(): string {
    return (this.uuid ??= randomUUID());
  }

  /** A place for the app's own facts, such as the user. */
  get data(): Record<string, unknown> {
    return (this.facts ??= {});
  }

  /** The last event ID that the client returned with: the header, then `?lastEventId=`. */
  get lastEventId(): string | undefined {
    return lastEventIdOf(this.request);
  }

  /** When the stream began, in milliseconds since the Unix epoch; `undefined` before its first byte. */
  get openedAt(): number | undefined {
    return this.begunAt;
  }

  /** `opening` until the first byte, then `open`, then `closed` for good. */
  get state(): 'opening' | 'open' | 'closed' {
    return this.ending === undefined ? this.phase : 'closed';
  }

  private get isOver(): boolean {
    return this.state === 'closed';
  }

  /** Aborts when the connection ends, for `fetch`, timers and the like. Its `reason` is the `CloseReason`. */
  get signal(): AbortSignal {
    this.abort ??= new AbortController();
    if (this.reason !== undefined) this.abort.abort(this.reason);
    return this.abort.signal;
  }

  /** Resolves once, with the reason, when the connection ends. Never rejects. */
  get closed(): Promise<CloseReason> {
    this.ended ??= new Deferred();
    if (this.reason !== undefined) this.ended.resolve(this.reason);
    return this.ended.promise;
  }

  /** What waits for this client, in bytes. Frames are shared: several clients may wait for the same bytes. */
  get bufferedBytes(): number {
    return this.outbox.bufferedBytes;
  }

  /** @internal Whether the client takes nothing of what waits for it. */
  get isBlocked(): boolean {
    return this.outbox.isBlocked;
  }

  /** How many events were left out for this client because it took too little; each is told by an `sse-gap`. */
  get droppedEvents(): number {
    return this.outbox.dropped;
  }

  /** How many events were handed to the socket so far. */
  get sentEvents(): number {
    return this.events;
  }

  /** How many bytes of the stream were handed to the socket so far, without what HTTP puts around them. */
  get sentBytes(): number {
    return this.bytes;
  }

  /**
   * Sends a message to this client alone, in order with everything else; begins the stream if nothing has yet.
   * Resolves when it is written and there is room for more. A rejection that nobody awaits is not reported.
   * @throws SseInvalidFieldError, SseSerializeError; SseClosedError when the connection has ended
   */
  send(message: SseMessage): Promise<void> {
    try {
      this.write(message);
      return this.room();
    } catch (error) {
      return Deferred.rejected(error);
    }
  }

  /** Sends a comment, which clients ignore; as `send()`. */
  comment(text: string): Promise<void> {
    return this.send({ comment: text });
  }

  /** Ends the stream after what was sent so far. A second call does nothing. */
  close(reason: CloseReason = 'server'): void {
    if (this.state === 'closed') return;
    this.open();
    // Unless it was closed by somebody who heard that it opens.
    if (this.state !== 'open') return;
    if (this.isHeadWritten) return this.end(reason, () => this.endResponse());
    this.ending = reason;
    this.endSource();
  }

  /** @internal Ends the stream, and tells the client that it may not have it any more. */
  expel(): void {
    // What has not begun has nothing to end, and whoever hears of its opening must not keep others from being expelled.
    if (this.phase === 'opening') return this.destroy('auth');
    if (this.state === 'open') this.tellEnd('sse-end', { reason: 'auth' });
    this.close('auth');
  }

  /** @internal What the client was allowed to read. */
  get authorization(): Authorization {
    if (this.allowed === undefined) {
      this.allowed = new Authorization(this);
      // Without keep-alives, nobody looks at a stream that is open already.
      this.host.lookAt(performance.now() + ASK_AGAIN_MS);
    }
    return this.allowed;
  }

  /** @internal Until this settles the stream does not begin by itself, only with a message: it may still be refused. */
  beginAfter(what: Promise<unknown>): void {
    if (this.phase === 'opening') this.awaited = Promise.all([this.awaited, what]);
  }

  /** @internal For what may refuse it, and must not hold a quiet stream back for long. */
  async patience(): Promise<void> {
    const { openWithinMs } = this.settings;
    if (openWithinMs > 0) await setTimeout(openWithinMs, undefined, { ref: false });
  }

  /** @internal What it does not begin before; once that has settled there may be more. */
  takeAwaited(): Promise<unknown> | undefined {
    const { awaited } = this;
    this.awaited = undefined;
    return awaited;
  }

  /** @internal Its client's next request comes on another session of HTTP/2. */
  endSession(): void {
    this.response.endSession();
  }

  /** @internal As `close()`, with a new reconnection time: clients that are sent away together are not to return together. */
  leave(reason: CloseReason): void {
    if (this.state === 'closed') return;
    const { retry } = this.settings;
    if (retry !== undefined && !this.response.isHead) {
      this.pushLast(encodeFrame({ retry: drawRetry(retry) }));
    }
    this.close(reason);
  }

  /** @internal Sends the headers and the opening frame. A second call does nothing. */
  open(): void {
    if (this.phase !== 'opening') return;
    // What waits behind it carries later cursors.
    const { retry, keepAliveMs } = this.settings;
    const opening = this.response.isHead
      ? ''
      : openingFrame(retry && drawRetry(retry), keepAliveMs, this.cursor.text);
    this.response.begin(
      this.settings.headers,
      () => this.headWritten(opening),
      (error) => this.headRefused(error),
    );
    // Its opening could not be written.
    if (this.isOver) return;
    this.phase = 'open';
    this.begunAt = Date.now();
    const { maxDurationMs } = this.settings;
    // All that are due within the last twentieth are ended together.
    if (maxDurationMs !== undefined) {
      this.endsAt = performance.now() + maxDurationMs * (0.8 + 0.15 * Math.random());
    }
    this.begun?.();
    this.begun = undefined;
    if (diagnostics.open.hasSubscribers) {
      const openingMs = Math.floor(performance.now()) - this.arrivedAt;
      diagnostics.open.publish({ connection: this, openingMs });
    }
    // Unless its opening could not be written, or somebody who heard of it has closed it.
    if (this.state === 'open') this.host.opened(this);
  }

  private headWritten(opening: string): void {
    this.isHeadWritten = true;
    this.outbox.open(opening);
    const { ending } = this;
    if (ending !== undefined) this.end(ending, () => this.endResponse());
  }

  /** Somebody else has answered, such as the exception filter for an interceptor that refuses. */
  private headRefused(error: unknown): void {
    if (this.phase !== 'closed') this.end('error', () => this.outbox.discard());
    if (error === undefined) return;
    logError(error, this);
    this.response.raw.destroy();
  }

  private endResponse(): void {
    this.response.allowEnd();
    this.outbox.end();
  }

  /** @internal */
  blocked(): void {
    const { stallTimeoutMs } = this.settings;
    if (stallTimeoutMs !== undefined) this.host.lookAt(performance.now() + stallTimeoutMs);
  }

  /** @internal */
  wrote(events: number, bytes: number): void {
    this.events += events;
    this.bytes += bytes;
    if (diagnostics.deliver.hasSubscribers) {
      diagnostics.deliver.publish({ connection: this, events, bytes });
    }
  }

  /** @internal */
  mark(): string {
    return this.cursor.giveMark();
  }

  /** @internal What goes wrong with this connection ends it, and no other. Never throws. */
  failed(error: unknown): void {
    if (this.phase !== 'closed') {
      diagnostics.error.publish({ error, connection: this, broadcaster: undefined });
      logError(error, this);
    }
    this.quietly(() => this.destroy('error'));
  }

  /** @internal Begins the stream if nothing has yet, and appends the message to what this turn writes. */
  write(message: SseMessage): void {
    this.begin(message);
    const id = this.cursor.idOf(message.id);
    this.push(this.frameOf(message, id), message, id);
  }

  /** @internal As `write()`, for what is never left out. `isLast`: the connection ends with it, so it is never too much. */
  tell(message: SseMessage, isLast = false): void {
    this.begin(message);
    const id = this.cursor.idOf(message.id);
    const frame = this.frameOf(message, id);
    if (isLast) this.pushLast(frame);
    else this.push(frame, undefined, id);
  }

  /** @internal As `tell()`, for what the library says: JSON, whatever `serialize` makes of the app's data. */
  tellOwn(type: string, data: object): void {
    this.tell({ type, data: JSON.stringify(data) });
  }

  /** @internal As `tellOwn()`, for what the connection ends with. */
  tellEnd(type: string, data: object, id?: string): void {
    this.tell({ type, id, data: JSON.stringify(data) }, true);
  }

  /** A first message that cannot be sent fails before the stream begins; a good one follows the opening. */
  private begin(message: SseMessage): void {
    if (this.phase !== 'opening') return;
    if (!(message instanceof HubEvent)) encodeFrame(message, this.settings.serialize);
    this.open();
  }

  /** @internal Tells the client where it stands, between events. */
  tellCursor(): void {
    const cursor = this.cursor.text;
    if (this.state === 'open' && cursor !== undefined) this.push(cursorFrame(cursor));
  }

  private push(frame: string, message?: SseMessage, id?: string | number): void {
    if (this.isOver) throw new SseClosedError('the connection');
    const pushed = this.outbox.push(frame, message, id);
    if (pushed === 'overflow') this.destroy('overflow');
    else if (pushed > 0) diagnostics.drop.publish({ connection: this, events: pushed });
  }

  private pushLast(frame: string): void {
    if (this.phase === 'closed') throw new SseClosedError('the connection');
    this.outbox.pushLast(frame);
  }

  /** @internal A client is told of losses in its own rooms; others of an event are none of its business. */
  waitingOf(frame: string, message?: SseMessage, id?: string | number): Waiting {
    const cursor = this.cursor.markable(id);
    if (message === undefined) return { frame, cursor };
    const rooms =
      message instanceof HubEvent ? message.rooms.filter((room) => this.cursor.reads(room)) : [];
    return { frame, rooms, key: this.settings.conflateKey(message), cursor };
  }

  /** @internal Resolves when all that was pushed is written and the client takes more; rejects when it has ended. */
  room(): Promise<void> {
    return this.outbox.writable();
  }

  /** @internal Called when the stream begins. */
  onBegun(listener: () => void): void {
    if (this.phase === 'opening') this.begun = listener;
    else listener();
  }

  /** @internal What the connection ends with. */
  onEnd(subscription: { unsubscribe(): void }): void {
    if (this.state === 'closed') subscription.unsubscribe();
    else this.subscription = subscription;
  }

  /** @internal The handler failed before the first byte: what answers now is not a stream. */
  abandon(): void {
    if (this.phase === 'opening') this.end('error', () => this.outbox.discard());
  }

  /** @internal Whether its client was cut so often for slowness that it is not sent its backlog again. */
  get isOftenCut(): boolean {
    const { mark } = this.cursor;
    return mark !== undefined && this.host.slowClients.isOften(mark, Date.now());
  }

  /** @internal Ends the connection, or what is left of it, without waiting for the client. */
  destroy(reason: CloseReason): void {
    if (this.phase !== 'closed') this.end(reason, () => this.outbox.discard());
    this.response.raw.destroy();
  }

  /** @internal Does what is due now, and answers when to look again; as `performance.now()`. */
  check(now: number): number {
    const { blockedAt } = this.outbox;
    // Its first byte is still to come.
    const activeAt = this.isHeadWritten ? this.outbox.activeAt : now;
    const { keepAliveMs, stallTimeoutMs } = this.settings;
    const { endsAt, allowed: authorization } = this;
    const isOpen = this.state === 'open';
    const { task, next } = whatIsDue(
      { isOpen, activeAt, blockedAt, endsAt, authorization, keepAliveMs, stallTimeoutMs },
      now,
    );
    if (task !== undefined) this.upkeep(task);
    return next;
  }

  private upkeep(task: Task): void {
    switch (task) {
      case 'keep-alive':
        return this.push(keepAliveFrame(this.cursor.text));
      case 'ask':
        return void this.askAgain();
      case 'duration':
        return this.close('duration');
      case 'unanswered':
        logError(
          'authorize has not answered for a whole keep-alive interval, which counts as no',
          this,
        );
        return this.expel();
      case 'stall':
        if (this.phase !== 'closed') {
          diagnostics.stall.publish({ connection: this, bufferedBytes: this.bufferedBytes });
        }
        return this.destroy('stall');
    }
  }

  /** Before the keep-alive is written: it would tell a client where it stands that may not read on. */
  private async askAgain(): Promise<void> {
    const isAllowed = await this.authorization.askAgain();
    if (this.state !== 'open') return;
    if (!isAllowed) return this.expel();
    const { keepAliveMs = Infinity } = this.settings;
    const isIdle = performance.now() >= this.outbox.activeAt + keepAliveMs;
    if (isIdle && !this.outbox.isBlocked) this.push(keepAliveFrame(this.cursor.text));
  }

  private end(reason: CloseReason, finish: () => void): void {
    const wasOpen = this.phase === 'open';
    this.phase = 'closed';
    this.reason = reason;
    this.allowed?.end();
    this.endSource();
    if (!this.quietly(finish)) this.quietly(() => this.response.raw.destroy());
    this.begun?.();
    this.context.runInAsyncScope(() => this.abort?.abort(reason));
    this.ended?.resolve(reason);
    if (wasOpen && diagnostics.close.hasSubscribers) {
      const durationMs = Date.now() - (this.begunAt ?? 0);
      diagnostics.close.publish({ connection: this, reason, durationMs });
    }
    this.host.closed(this, reason);
  }

  /** It runs the app's own `finalize()`; the connection ends even if that throws. */
  private endSource(): void {
    this.quietly(() => this.context.runInAsyncScope(() => this.subscription?.unsubscribe()));
  }

  private readonly onResponseClosed = (): void => {
    if (this.phase !== 'closed') this.end(this.whyClosed(), () => this.outbox.discard());
    // Not at once: HTTP/2 tells it in the midst of `end()`, before the host knows that the connection has ended.
    queueMicrotask(() => this.host.gone(this));
  };

  /** Answers whether it went well. */
  private quietly(step: () => void): boolean {
    try {
      step();
      return true;
    } catch (error) {
      logError(error, this);
      return false;
    }
  }

  private whyClosed(): CloseReason {
    if (!this.isHeadWritten && this.response.raw.headersSent) return 'error';
    return this.response.isCutHere ? 'server' : 'client';
  }

  private frameOf(message: SseMessage, id: string | number | undefined): string {
    if (message instanceof HubEvent)
      return id === message.id ? message.frame : message.frameWith(id);
    return encodeFrame(id === message.id ? message : { ...message, id }, this.settings.serialize);
  }
}

/** The connection whose handler or subscription runs now. */
export const currentConnection = new AsyncLocalStorage<SseConnection>();
