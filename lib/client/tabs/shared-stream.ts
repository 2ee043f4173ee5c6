import { CursorStore } from '../cursor-store.js';
import { SseClientError } from '../client-error.js';
import { dataOf } from '../event-data.js';
import type { EventReader } from '../loop.js';
import { ReadEvents } from '../read-events.js';
import { guard } from '../readers.js';
import type { Entries, RoomState } from '../room-state.js';
import type { StreamEvent } from '../stream-event.js';
import type { StreamEnd, StreamState } from '../stream-state.js';
import type { Receive } from '../../schema/received-events.js';
import { boundedLoop } from './bounded-loop.js';
import type { Group, GroupMaker } from './group.js';
import { closedError, errorOf, type Entry } from './messages.js';
import { isForTab } from './rooms-of.js';
import { SharedStates } from './shared-states.js';
import type { Host } from './surroundings.js';
import type { TabsOptions } from './tabs.options.js';

/**
 * A tab's part of a stream that all tabs share. Created by `connectTabs()`. It is used like the
 * stream of `connect()`.
 * @typeParam Events the event types with the types of their data
 * @publicApi
 */
export class SharedStream<
  Events extends object = Record<string, unknown>,
> extends ReadEvents<Events> {
  /** Resolves when the stream is closed in this tab. Never rejects. */
  readonly closed: Promise<StreamEnd>;
  private resolveClosed!: (end: StreamEnd) => void;
  private phase: StreamState = 'connecting';
  private cursor: string | undefined;
  private hasBegun = false;
  private readonly group: Group;
  private readonly store: CursorStore | undefined;
  private readonly stateListeners = new Set<(state: StreamState, error?: SseClientError) => void>();
  private readonly states: SharedStates;
  /** Events that are being checked. */
  private work: Promise<void> | undefined;

  /** @internal */
  constructor(
    url: string | URL,
    private readonly options: TabsOptions,
    makeGroup: GroupMaker,
    private readonly receive?: Receive,
  ) {
    super();
    this.closed = new Promise((resolve) => (this.resolveClosed = resolve));
    const { lastEventId, persist, persistKey, signal } = options;
    this.store = persist && new CursorStore(persist, url, persistKey);
    this.cursor = lastEventId ?? this.store?.read();
    this.states = new SharedStates(!!this.cursor, (map) => this.readers.add(map, false));
    this.group = makeGroup(this.host());
    signal?.addEventListener('abort', this.close);
    if (signal?.aborted) this.close();
  }

  /** What the shared stream does. `waiting` also while the browser has frozen this tab. */
  get state(): StreamState {
    return this.phase;
  }

  /** The last event ID of this tab. `undefined` until the stream is open. */
  get lastEventId(): string | undefined {
    return this.cursor;
  }

  /**
   * Whether this tab has the connection. `false` before the stream has begun and once it is closed.
   * A tab that hung says so until it hears that another one has taken over.
   */
  get isLeading(): boolean {
    return this.group.member.leading?.hasBegun === true;
  }

  /** The rooms that this tab has joined, besides those of the URL. */
  get rooms(): readonly string[] {
    return [...this.group.member.rooms.own];
  }

  /**
   * Joins rooms for this tab. The shared stream has the rooms of all tabs. Resolves with the rooms
   * of this tab when it has them. If another tab is in a room already, this tab gets its events
   * from now on.
   * @throws SseClientError if the server refuses a room; then this tab is not in it
   */
  async join(...rooms: string[]): Promise<readonly string[]> {
    if (this.ended !== undefined) throw closedError();
    this.begin();
    await this.group.member.rooms.join(rooms);
    return this.rooms;
  }

  /** Leaves rooms. The shared stream keeps those that another tab has. */
  leave(...rooms: string[]): Promise<readonly string[]> {
    if (this.ended === undefined) this.group.member.rooms.leave(rooms);
    return Promise.resolve(this.rooms);
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
   * Iterates over events. A slow loop does not slow the server down, because other tabs read too:
   * one with more than 10 000 unread events gets one `sse-gap` instead of them. Throws if the
   * stream failed. When the last subscription or loop ends, this tab leaves the shared stream.
   */
  override [Symbol.asyncIterator](): AsyncIterator<StreamEvent<Events>, undefined> {
    const { loop, reader } = boundedLoop<StreamEvent<Events>>((left) => this.letGo(left));
    this.add(reader, true);
    return loop;
  }

  /**
   * The entries of a state room, as a map that stays up to date. Each call returns the same map. It
   * may be called at any time, because each tab keeps the entries of all state rooms. Nothing
   * checks that the values are what `State` declares.
   * @typeParam State the keys with the types of their values
   * @param entries what the map begins with; with `lastEventId`, the entries as of that id
   * @throws SseClientError `SSE_STATE` if there is `persist`, or `lastEventId` without `entries`
   */
  stateOf<State extends object = Record<string, unknown>>(
    room: string,
    entries?: Entries<State>,
  ): RoomState<State>;
  stateOf(room: string, entries?: Iterable<readonly [string, unknown]>): unknown {
    const { persist, lastEventId } = this.options;
    if (persist || (lastEventId && !entries && !this.states.has(room))) {
      const why = persist ? 'persist keeps no entries' : 'lastEventId needs the entries as of it';
      throw new SseClientError('SSE_STATE', `stateOf("${room}"): ${why}; leave it out`);
    }
    const map = this.states.of(room);
    if (entries && !map.isWhole) map.replace(entries);
    this.begin();
    return map;
  }

  /** Closes the stream in this tab. The last tab closes the connection. */
  override readonly close = (): void => this.end({ reason: 'client' });

  protected override add(reader: EventReader<StreamEvent<Events>>, isHolder = false): void {
    super.add(reader, isHolder);
    this.begin();
  }

  /** Nothing would take events before there is a reader. The caller may add others first. */
  private begin(): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    queueMicrotask(() => this.ended ?? this.group.begin());
  }

  private host(): Host {
    return {
      lastEventId: this.cursor,
      take: (entry) => this.take(entry),
      moved: (cursor) => this.afterWork(() => this.keep(cursor)),
      status: ({ state, error }) =>
        this.afterWork(() => this.ended ?? this.tell(state, errorOf(error))),
      end: (end) => this.afterWork(() => this.end(end)),
      states: this.states,
    };
  }

  private take({ type, text, id, cursor }: Entry): void {
    if (this.ended !== undefined) return;
    if (text === undefined) return this.afterWork(() => this.keep(cursor));
    try {
      const event = { type, data: dataOf(text, type, this.options), id };
      // At once, so that a tab that comes now gets the entries of this place.
      this.states.receive(event);
      if (!this.receive) return this.give(event as StreamEvent<Events>, cursor);
      const got = this.receive(event, text, this);
      const give = async (): Promise<void> => this.give((await got) as StreamEvent<Events>, cursor);
      this.work = (this.work ?? Promise.resolve()).then(give);
    } catch (error) {
      this.end({ reason: 'error', error: error as SseClientError });
    }
  }

  private give(event: StreamEvent<Events> | undefined, cursor: string | undefined): void {
    if (this.ended !== undefined) return;
    this.keep(cursor);
    const { rooms } = this.group.member;
    if (event && isForTab(event, this.options.roomsOf, rooms)) this.readers.give(event);
    const gap = event && rooms.told(event);
    if (gap) this.readers.give(gap as StreamEvent<Events>);
  }

  private keep(cursor: string | undefined): void {
    if (cursor === undefined || this.cursor === cursor) return;
    this.cursor = cursor;
    this.store?.keep(cursor);
  }

  private afterWork(call: () => void): void {
    if (this.work) this.work = this.work.then(call);
    else call();
  }

  private tell(state: StreamState, error: SseClientError | undefined): void {
    if (this.phase === state && error === undefined && state !== 'closed') return;
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
    this.group.end(end.error ?? closedError());
    this.store?.flush();
    this.tell('closed', end.error);
    this.readers.end(end.error);
    this.resolveClosed(end);
  }
}
