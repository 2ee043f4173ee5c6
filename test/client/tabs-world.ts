// A browser of tabs, as a scheduler that a random test steers: what a tab hears, when it gets the
// lock and what its connection brings are separate steps, in any order that a browser may choose.
import { Member } from '../../lib/client/tabs/member.js';
import type { Entry, Message } from '../../lib/client/tabs/messages.js';
import type { Host, SourceObserver, Surroundings } from '../../lib/client/tabs/surroundings.js';
import { SseClientError, type StreamEnd } from 'nestjs-eventstream/client';
import { formatCursor, parseCursor } from '../../lib/wire/cursor.js';

/**
 * - `total`: all tabs hear all messages in one order, as from the broker of a browser.
 * - `per sender`: only the messages of one tab stay in order.
 */
export type Order = 'total' | 'per sender';

/** How a tab ends or pauses. */
export type Fate = 'close' | 'crash' | 'freeze' | 'hide';

interface LockRequest {
  readonly tab: Tab;
  readonly granted: () => void;
  readonly lost: () => void;
  isOver: boolean;
}

interface Connection {
  readonly observer: SourceObserver;
  cursor: number | undefined;
  /** The index of the next event of the server; `undefined` until the server has answered. */
  next: number | undefined;
  /** How many events there were then. Of those, a server keeps only the ones with an id. */
  old: number;
  readonly rooms: Set<string>;
}

const idOf = (no: number): string => formatCursor({ epoch: 'e', position: no });

export class World {
  readonly tabs: Tab[] = [];
  /** Of the server: numbered events, and such without an id. */
  readonly events: { readonly no: number; readonly hasId: boolean }[] = [];
  holder: LockRequest | undefined;
  queue: LockRequest[] = [];
  terms = 0;
  /** How many connections began without a cursor. */
  beginnings = 0;
  readonly watching: { readonly id: string; readonly by: Tab; readonly onGone: () => void }[] = [];

  constructor(readonly order: Order) {}

  get alive(): Tab[] {
    return this.tabs.filter(({ isAlive }) => isAlive);
  }

  open(lastEventId?: string): Tab {
    const tab = new Tab(this, this.tabs.length, lastEventId);
    this.tabs.push(tab);
    tab.member.enter();
    return tab;
  }

  emit(hasId = true): void {
    const last = this.events.at(-1)?.no ?? 0;
    this.events.push({ no: last + 1, hasId });
  }

  /** Wakes all tabs, and goes on until nothing happens any more. */
  async finish(): Promise<void> {
    for (const tab of this.alive) tab.wake();
    for (let round = 0; round < 20; round++) {
      for (let isBusy = true; isBusy;) {
        isBusy = false;
        for (const tab of this.alive) {
          for (const kind of ['hear', 'signal', 'connection', 'timer'] as const) {
            while (tab.step(kind)) {
              isBusy = true;
              await settle();
            }
          }
        }
      }
      for (const tab of this.alive) tab.member.tick();
      await settle();
    }
  }

  grant(): void {
    if (this.holder || this.queue.length === 0) return;
    const request = (this.holder = this.queue.shift()!);
    request.tab.signals.push(() => {
      if (!request.isOver) request.granted();
    });
  }

  release(request: LockRequest): void {
    request.isOver = true;
    this.queue = this.queue.filter((other) => other !== request);
    if (this.holder === request) this.holder = undefined;
    this.grant();
  }

  request(request: LockRequest, isStolen: boolean): void {
    if (isStolen) {
      const { holder } = this;
      if (holder) {
        holder.tab.signals.push(() => {
          if (!holder.isOver) holder.lost();
        });
      }
      this.holder = undefined;
      this.queue.unshift(request);
    } else this.queue.push(request);
    this.grant();
  }
}

/** Lets what the last step has resolved run. */
export async function settle(): Promise<void> {
  for (let n = 0; n < 8; n++) await Promise.resolve();
}

/** A tab, with the steps that it may take. */
export class Tab {
  isAlive = true;
  isFrozen = false;
  wasHidden = false;
  readonly member: Member;
  /** By sender; in a total order, all are of one. */
  private inboxes = new Map<number, Message[]>();
  hear: ((message: Message) => void) | undefined;
  signals: (() => void)[] = [];
  timers: (() => void)[] = [];
  connection: Connection | undefined;
  /** The numbers of the events that it got. */
  got: number[] = [];
  /** The last event before a gap. */
  private had = 0;
  readonly gaps: string[] = [];
  /** The cursor from which it began. */
  begin: number | undefined;
  ended: StreamEnd | undefined;
  private lock: LockRequest | undefined;

  constructor(
    readonly world: World,
    readonly id: number,
    lastEventId: string | undefined,
  ) {
    if (lastEventId) this.begin = parseCursor(lastEventId)?.position;
    const host: Host = {
      lastEventId,
      take: (entry: Entry) => {
        const { type, text } = entry;
        if (text === undefined) host.moved(entry.cursor);
        else if (type === 'sse-gap') {
          this.gaps.push(text);
          this.had = this.got.at(-1) ?? this.had;
          this.begin = undefined;
          this.got = [];
        } else this.got.push(Number(text));
      },
      moved: (cursor) => {
        if (cursor !== undefined && this.got.length === 0) {
          this.begin ??= Math.max(parseCursor(cursor)!.position, this.had);
        }
      },
      status: () => {},
      end: (end) => (this.ended = end),
      states: { drop: () => {}, entries: [], isMidState: false },
    };
    this.member = new Member(String(id), this.surroundings(), host);
  }

  get canRun(): boolean {
    return this.isAlive && !this.isFrozen;
  }

  /** Takes one step of a kind; returns whether there was one. */
  step(kind: 'hear' | 'signal' | 'timer' | 'connection', pick = 0): boolean {
    if (!this.canRun) return false;
    if (kind === 'hear') {
      const senders = [...this.inboxes].filter(([, messages]) => messages.length > 0);
      const message = senders[pick % senders.length]?.[1].shift();
      if (message) this.hear?.(message);
      return message !== undefined;
    }
    if (kind === 'connection') return this.read();
    const call = (kind === 'signal' ? this.signals : this.timers).shift();
    call?.();
    return call !== undefined;
  }

  meet(fate: Fate): void {
    if (!this.canRun) return;
    if (fate === 'freeze') this.isFrozen = true;
    else if (fate === 'hide') {
      this.wasHidden = true;
      this.member.leave();
    } else {
      if (fate === 'close') this.member.leave();
      this.isAlive = false;
      if (this.lock) this.world.release(this.lock);
      for (const { id, by, onGone } of this.world.watching) {
        if (id === String(this.id)) by.signals.push(onGone);
      }
    }
  }

  /** A frozen or hidden tab is back. */
  wake(): void {
    this.isFrozen = false;
    if (this.isAlive) this.member.enter();
  }

  post(message: Message): void {
    const copy = structuredClone(message);
    for (const tab of this.world.alive) {
      if (!tab.hear) continue;
      const sender = this.world.order === 'total' ? 0 : this.id;
      const inbox = tab.inboxes.get(sender) ?? [];
      tab.inboxes.set(sender, [...inbox, copy]);
    }
  }

  private read(): boolean {
    const { connection, world } = this;
    if (!connection) return false;
    const { observer, cursor } = connection;
    if (connection.next === undefined) {
      const at = cursor === undefined ? -1 : world.events.findIndex(({ no }) => no > cursor);
      connection.next = at === -1 ? world.events.length : at;
      connection.old = world.events.length;
      connection.cursor ??= world.events.at(-1)?.no ?? 0;
      observer.status('open', undefined);
      observer.moved();
      return true;
    }
    const event = world.events[connection.next];
    if (!event) return false;
    connection.next++;
    if (!event.hasId && connection.next <= connection.old) return true;
    // The server keeps no events without an id for those that come back.
    if (event.hasId) connection.cursor = event.no;
    const id = event.hasId ? idOf(event.no) : undefined;
    observer.event({ type: 'n', text: String(event.no), id, cursor: id });
    return true;
  }

  private surroundings(): Surroundings {
    const { world } = this;
    return {
      open: (hear) => {
        this.inboxes = new Map();
        this.hear = hear;
      },
      close: () => (this.hear = undefined),
      post: (message) => this.post(message),
      lock: (isStolen, granted, lost) => {
        if (this.lock) world.release(this.lock);
        this.lock = { tab: this, granted, lost, isOver: false };
        world.request(this.lock, isStolen);
      },
      unlock: () => {
        if (this.lock) world.release(this.lock);
      },
      others: () => Promise.resolve(world.queue.filter(({ tab }) => tab !== this).length),
      live: () => Promise.resolve(),
      watch: (id, onGone) => void world.watching.push({ id, by: this, onGone }),
      later: (_ms, call) => void this.timers.push(call),
      term: () => ++world.terms,
      connect: (cursor, rooms, observer) => {
        const at = cursor === undefined ? undefined : parseCursor(cursor)!.position;
        if (at === undefined) world.beginnings++;
        const connection: Connection = {
          observer,
          cursor: at,
          next: undefined,
          old: 0,
          rooms: new Set(rooms),
        };
        this.connection = connection;
        return {
          get lastEventId() {
            return connection.cursor === undefined ? undefined : idOf(connection.cursor);
          },
          close: () => {
            if (this.connection === connection) this.connection = undefined;
          },
          first: Promise.resolve(),
          join: (...names) => {
            if (names.includes('secret'))
              return Promise.reject(new SseClientError('SSE_STATUS', 'not this room'));
            for (const name of names) connection.rooms.add(name);
            return Promise.resolve();
          },
          leave: (...names) => {
            for (const name of names) connection.rooms.delete(name);
            return Promise.resolve();
          },
        };
      },
    };
  }
}
