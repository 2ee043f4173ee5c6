import { Attempt } from './attempt.js';
import { DEFAULT_MAX_BACKOFF_MS, DEFAULT_RETRY_MS, MIN_BASE_MS, retryDelay } from './back-off.js';
import type { SseClientError } from './client-error.js';
import type { ConnectOptions } from './connect.options.js';
import { CursorStore } from './cursor-store.js';
import { dataOf } from './event-data.js';
import type { Block } from '../wire/parser.js';
import { END_ID } from '../wire/protocol.js';
import { withTail } from './id-tail.js';
import type { Receive } from '../schema/received-events.js';
import { Pause } from './pause.js';
import { guard } from './readers.js';
import { ReadEvents } from './read-events.js';
import type { Entries, RoomState } from './room-state.js';
import { RoomStates } from './room-states.js';
import { RoomChanges } from './room-changes.js';
import type { StreamEvent } from './stream-event.js';
import type { StreamEnd, StreamState } from './stream-state.js';

/**
 * A stream that reconnects and resumes. Created by `connect()`.
 * @publicApi
 */
export class EventStream<
  Events extends object = Record<string, unknown>,
> extends ReadEvents<Events> {
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
  private readonly store: CursorStore | undefined;
  private readonly stateListeners = new Set<(state: StreamState, error?: SseClientError) => void>();
  private readonly pause = new Pause();
  private readonly states: RoomStates;
  private readonly changes: RoomChanges;

  /** @internal */
  constructor(
    private readonly url: string | URL,
    private readonly options: ConnectOptions,
    private readonly receive: Receive = (event) => event,
  ) {
    super();
    this.closed = new Promise((resolve) => (this.resolveClosed = resolve));
    this.maxBackoffMs = options.maxBackoffMs ?? DEFAULT_MAX_BACKOFF_MS;
    this.retryMs = Math.min(DEFAULT_RETRY_MS, this.maxBackoffMs);
    this.states = new RoomStates(options);
    this.changes = new RoomChanges(url, options, () => !this.readers.areWaiting);
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

  /** The last event ID, from which the next attempt resumes. To set it, see also `stateOf()`. */
  get lastEventId(): string | undefined {
    return this.cursor;
  }

  set lastEventId(id: string | undefined) {
    this.states.move(id);
    this.cursor = id;
    this.store?.keep(id ?? '');
    this.store?.flush();
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
   * The entries of a state room, as a map that stays up to date. Each call returns the same map.
   * Call it right after `connect()`. Nothing checks that the values are what `State` declares.
   * @param entries what the map begins with; with `lastEventId`, the entries as of that id
   * @throws SseClientError `SSE_STATE` if entries of the room have passed already, if there is
   * `persist`, or if there is `lastEventId` without `entries`. From then on, setting `lastEventId`
   * to anything but `undefined` throws it too.
   */
  stateOf<State extends object = Record<string, unknown>>(
    room: string,
    entries?: Entries<State>,
  ): RoomState<State> {
    return this.states.of<State>(room, entries, (map) => this.add(map));
  }

  /**
   * The rooms in force of a stream whose rooms can change, as the server tells them; empty until
   * then, and for other streams.
   */
  get rooms(): readonly string[] {
    return this.changes.rooms;
  }

  /**
   * Adds rooms to a stream that the server opened with `changeable`. Resolves with the rooms in
   * force when the server owes their events. If the connection drops first, the request is repeated
   * when it is open again. The rooms come with what a new client gets of them. Do not wait for it
   * in a loop that reads the stream: after a drop, the answer may come after events that the loop
   * has yet to take.
   * @throws SseClientError `SSE_STATUS` if the server refuses; `SSE_ROOMS` if the stream is closed,
   * or its rooms cannot change
   * @example `await stream.join('chat:7')`
   */
  join(...rooms: string[]): Promise<readonly string[]> {
    return this.changes.change({ join: rooms });
  }

  /** Takes rooms out of the stream. Otherwise as `join()`. */
  leave(...rooms: string[]): Promise<readonly string[]> {
    return this.changes.change({ leave: rooms });
  }

  /** Closes the stream. A second call does nothing. */
  readonly close = (): void => this.end({ reason: 'client' });

  private get isClosed(): boolean {
    return this.ended !== undefined;
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
      if (!this.isClosed) await this.pause.last(delayMs, retryAfterMs === undefined);
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
        this.changes.opened();
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
      this.states.drop();
      this.changes.drop();
    }
  }

  private async take({ type, data: text, id }: Block): Promise<void> {
    let event: StreamEvent<Events> | undefined;
    if (text !== undefined) {
      const got = this.receive({ type, data: dataOf(text, type, this.options), id }, text, this);
      event = (got instanceof Promise ? await got : got) as typeof event;
      // At once: a reader may wait for join() before it takes the next event.
      if (event !== undefined) this.changes.receive(event);
      // The cursor moves later, so that an event that nobody has taken is sent again.
      while (!this.readers.areWaiting && !this.isClosed) await this.readers.change();
    }
    if (this.isClosed) return;
    // With the cursor, and before a reader looks at a map.
    if (event !== undefined) this.states.receive(event);
    this.hasDelivered = true;
    // The id of the end is not a cursor to resume from, if the app connects again.
    if (id !== undefined && id !== END_ID) {
      this.cursor = withTail(id, this.cursor);
      this.store?.keep(this.cursor);
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
    this.pause.end();
    this.changes.end();
    this.readers.changed();
    this.enter('closed', end.error);
    this.readers.end(end.error);
    this.resolveClosed(end);
  }
}
