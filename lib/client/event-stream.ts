import { Attempt } from './attempt.js';
import { MIN_BASE_MS, retryDelay } from './back-off.js';
import type { SseClientError } from './client-error.js';
import type { ConnectOptions } from './connect.options.js';
import { CursorStore } from './cursor-store.js';
import { dataOf } from './event-data.js';
import { Loop, type EventReader } from './loop.js';
import type { Block } from '../wire/parser.js';
import { END_ID } from '../wire/protocol.js';
import type { Receive } from '../schema/received-events.js';
import { guard, Readers } from './readers.js';
import type { ControlEvents, StreamEvent } from './stream-event.js';
import type { StreamEnd, StreamObserver, StreamState } from './stream-state.js';

/** Used until the server sends `retry:`. Browsers wait for about as long. */
const DEFAULT_RETRY_MS = 3_000;
const DEFAULT_MAX_BACKOFF_MS = 30_000;
/** The key of RxJS, even if nothing has defined the symbol. */
const observable = (Symbol as { readonly observable?: symbol }).observable ?? '@@observable';

/**
 * A stream that reconnects and resumes. Created by `connect()`.
 * @publicApi
 */
export class EventStream<Events extends object = Record<string, unknown>> implements AsyncIterable<
  StreamEvent<Events>
> {
  /** Resolves when the stream is closed. Never rejects. */
  readonly closed: Promise<StreamEnd>;
  private resolveClosed!: (end: StreamEnd) => void;
  private phase: StreamState = 'connecting';
  private cursor: string | undefined;
  private readonly maxBackoffMs: number;
  private retryMs: number;
  private hasDelivered = false;
  /** When the current attempt was opened, as `performance.now()`. */
  private openedAt = Infinity;
  /** The number of consecutive attempts without a first byte. */
  private silentAttempts = 0;
  private attempt: Attempt | undefined;
  private ended: StreamEnd | undefined;
  private readonly store: CursorStore | undefined;
  private readonly readers = new Readers<StreamEvent<Events>>();
  private readonly stateListeners = new Set<(state: StreamState, error?: SseClientError) => void>();
  /** Ends the pause before the next attempt. */
  private wake = (): void => {};

  /** @internal */
  constructor(
    private readonly url: string | URL,
    private readonly options: ConnectOptions,
    private readonly receive: Receive = (event) => event,
  ) {
    this.closed = new Promise((resolve) => (this.resolveClosed = resolve));
    this.maxBackoffMs = options.maxBackoffMs ?? DEFAULT_MAX_BACKOFF_MS;
    this.retryMs = Math.min(DEFAULT_RETRY_MS, this.maxBackoffMs);
    Object.defineProperty(this, observable, { value: () => this });
    const { lastEventId, persist, persistKey, signal } = options;
    this.store = persist && new CursorStore(persist, url, persistKey);
    this.cursor = lastEventId ?? this.store?.read();
    signal?.addEventListener('abort', this.close);
    if (signal?.aborted) this.close();
    void this.run();
  }

  get state(): StreamState {
    return this.phase;
  }

  /** The last event ID, from which the next attempt resumes. You can set it. */
  get lastEventId(): string | undefined {
    return this.cursor;
  }

  set lastEventId(id: string | undefined) {
    this.cursor = id;
    this.store?.keep(id ?? '');
    this.store?.flush();
  }

  /**
   * Calls the listener for each event of this type; an event without a type is a `message`. Errors
   * in the listener are reported as uncaught. Returns a function that removes the listener.
   */
  on<Type extends (keyof Events & string) | keyof ControlEvents>(
    type: Type,
    listener: (event: StreamEvent<Events, Type>) => void,
  ): () => void {
    const reader: EventReader<StreamEvent<Events>> = {
      isReady: true,
      give: (event) => {
        if (event.type === type) listener(event as StreamEvent<Events, Type>);
      },
      end: () => {},
    };
    this.add(reader);
    return () => void this.readers.remove(reader);
  }

  /**
   * Calls the listener for each change of `state`, with the error that caused `waiting` or `closed`
   * if there is one. Returns a function that removes it.
   */
  onState(listener: (state: StreamState, error?: SseClientError) => void): () => void {
    this.stateListeners.add(listener);
    return () => void this.stateListeners.delete(listener);
  }

  /**
   * Calls the observer for each event, and finally `error` if the stream failed, else `complete`.
   * RxJS' `from(stream)` uses it. When the last subscription or loop ends, the stream closes.
   */
  subscribe(
    observer: StreamObserver<StreamEvent<Events>> | ((event: StreamEvent<Events>) => void),
  ): { unsubscribe(): void } {
    const to = typeof observer === 'function' ? { next: observer } : observer;
    const reader: EventReader<StreamEvent<Events>> = {
      isReady: true,
      give: (event) => to.next?.(event),
      end: (error) => (error === undefined ? to.complete?.() : to.error?.(error)),
    };
    this.add(reader, true);
    return { unsubscribe: () => this.leave(reader) };
  }

  /**
   * Iterates over events. They are read on demand, so a slow loop slows the server down. Throws if
   * the stream failed. When the last subscription or loop ends, the stream closes.
   */
  [Symbol.asyncIterator](): AsyncIterator<StreamEvent<Events>, undefined> {
    const loop: Loop<StreamEvent<Events>> = new Loop(
      () => this.readers.changed(),
      () => this.leave(loop),
    );
    this.add(loop, true);
    return loop;
  }

  /** Closes the stream. A second call does nothing. */
  readonly close = (): void => this.end({ reason: 'client' });

  private get isClosed(): boolean {
    return this.ended !== undefined;
  }

  private add(reader: EventReader<StreamEvent<Events>>, isHolder = false): void {
    if (this.ended === undefined) this.readers.add(reader, isHolder);
    else reader.end(this.ended.error);
  }

  private leave(reader: EventReader<StreamEvent<Events>>): void {
    if (this.readers.remove(reader)) this.close();
  }

  private async run(): Promise<void> {
    // Let the caller add listeners first.
    await Promise.resolve();
    let failures = 0;
    while (!this.isClosed) {
      this.hasDelivered = false;
      this.openedAt = Infinity;
      const error = await this.tryOnce();
      if (this.isClosed) return;
      if (error?.isFinal) return this.end({ reason: 'error', error });
      failures = this.hasDelivered || this.hasLasted ? 0 : failures + 1;
      this.enter('waiting', error);
      const { retryAfterMs } = error ?? {};
      const { retryMs, maxBackoffMs } = this;
      const delayMs = retryDelay({ retryMs, failures, maxBackoffMs, retryAfterMs });
      if (!this.isClosed) await this.pause(delayMs, retryAfterMs === undefined);
    }
  }

  /** Runs one attempt to its end. Resolves with its error, if any. */
  private async tryOnce(): Promise<SseClientError | undefined> {
    this.enter('connecting');
    // A listener may have closed it.
    if (this.isClosed) return undefined;
    const attempt = (this.attempt = new Attempt(this.url, this.options, this.silentAttempts >= 2));
    try {
      const parts = await attempt.open(this.cursor);
      if (this.isClosed) return undefined;
      if (parts === undefined) this.end({ reason: 'server' });
      else {
        this.openedAt = performance.now();
        this.enter('open');
        for await (const block of attempt.read(parts)) {
          await this.take(block);
          if (this.isClosed) break;
        }
      }
      return undefined;
    } catch (error) {
      return attempt.failure(error);
    } finally {
      this.retryMs = attempt.retryMs ?? this.retryMs;
      this.silentAttempts = attempt.wasSilent ? this.silentAttempts + 1 : 0;
      attempt.end();
    }
  }

  private async take({ type, data: text, id }: Block): Promise<void> {
    let event: StreamEvent<Events> | undefined;
    if (text !== undefined) {
      const got = this.receive({ type, data: dataOf(text, type, this.options), id }, text, this);
      event = (got instanceof Promise ? await got : got) as typeof event;
      // The cursor moves later, so that an event that nobody has taken is sent again.
      while (!this.readers.areWaiting && !this.isClosed) await this.readers.change();
    }
    if (this.isClosed) return;
    this.hasDelivered = true;
    // The id of the end is not a cursor to resume from, if the app connects again.
    if (id !== undefined && id !== END_ID) {
      this.cursor = id;
      this.store?.keep(id);
    }
    if (event === undefined) return;
    this.readers.give(event);
    // Without that id only the credential has expired, and the next attempt may have a new one.
    if (type === 'sse-end' && id === END_ID) this.end({ reason: 'server' });
  }

  /** A quiet stream that was open for longer than a refusal does not count as a failure. */
  private get hasLasted(): boolean {
    return performance.now() - this.openedAt > Math.max(this.retryMs, MIN_BASE_MS);
  }

  /** Waits for this time, or until `wake()`. */
  private async pause(ms: number, endsOnline: boolean): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.wake = () => resolve();
      timer = setTimeout(this.wake, ms);
      if (endsOnline) globalThis.addEventListener?.('online', this.wake);
    });
    clearTimeout(timer);
    globalThis.removeEventListener?.('online', this.wake);
  }

  private enter(state: StreamState, error?: SseClientError): void {
    this.phase = state;
    for (const listener of this.stateListeners) {
      // Unless a listener has closed it.
      if (this.phase === state) guard(() => listener(state, error));
    }
  }

  private end(end: StreamEnd): void {
    if (this.ended !== undefined) return;
    this.ended = end;
    this.options.signal?.removeEventListener('abort', this.close);
    this.attempt?.end();
    this.store?.flush();
    this.wake();
    this.readers.changed();
    this.enter('closed', end.error);
    this.readers.end(end.error);
    this.resolveClosed(end);
  }
}
