import { SseClientError } from '../client-error.js';
import { errorOf, factsOf, type Message, type RoomFacts, type Welcome } from './messages.js';
import { gapOf, hasRooms, type AnyEvent } from './rooms-of.js';
import type { Source, Surroundings } from './surroundings.js';

interface Asking {
  readonly rooms: readonly string[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The rooms of each tab. The leader's connection has all of them. */
export class SharedRooms {
  /** The rooms of this tab. */
  readonly own = new Set<string>();
  private wanted = new Map<string, readonly string[]>();
  /** Those that the connection has. */
  private joined: readonly string[] = [];
  /** The leader's: those that it has asked for. */
  private readonly asked = new Set<string>();
  /** The leader's: those that the server has answered for. */
  private readonly inForce = new Set<string>();
  private readonly watched = new Set<string>();
  private asking: Asking[] = [];
  /** Rooms of this tab that the stream had. `false`: it has lost them. */
  private readonly had = new Map<string, boolean>();

  constructor(
    private readonly id: string,
    private readonly around: Pick<Surroundings, 'post' | 'live' | 'watch'>,
  ) {}

  get facts(): RoomFacts {
    return { wanted: [...this.wanted], joined: this.joined };
  }

  /** Takes what another tab knows. After a gap, the stream may not tell what has happened since. */
  adopt({ rooms: { wanted, joined }, hasGap }: Pick<Welcome, 'rooms' | 'hasGap'>): void {
    this.wanted = new Map(wanted);
    this.joined = joined;
    for (const room of this.had.keys()) {
      if (hasGap && !joined.includes(room)) this.had.set(room, false);
    }
    this.settle();
  }

  /**
   * The stream may tell its rooms. Returns a gap for those of this tab that it had lost and has
   * again, for example because this tab was in the back/forward cache.
   */
  told({ type, data }: AnyEvent): AnyEvent | undefined {
    const { rooms } = Object(data) as { rooms?: unknown };
    if (!hasRooms(type) || !Array.isArray(rooms)) return undefined;
    const back = [...this.own].filter((room) => {
      const isIn = rooms.includes(room);
      const isBack = isIn && this.had.get(room) === false;
      if (isIn || this.had.has(room)) this.had.set(room, isIn);
      return isBack;
    });
    return back.length > 0 ? gapOf(back) : undefined;
  }

  /** The rooms of all tabs. */
  get union(): string[] {
    return [...new Set([...this.wanted.values()].flat())];
  }

  /** Resolves when the connection has them. */
  async join(rooms: readonly string[]): Promise<void> {
    for (const room of rooms) this.own.add(room);
    await new Promise<void>((resolve, reject) => {
      this.asking.push({ rooms, resolve, reject });
      this.announce();
    });
  }

  leave(rooms: readonly string[]): void {
    for (const room of rooms) {
      this.own.delete(room);
      this.had.delete(room);
    }
    this.announce();
    this.refuse(rooms, new SseClientError('SSE_REQUEST', 'the room was left before it was joined'));
  }

  /** Tells the other tabs, once they can see that this tab exists. */
  announce(): void {
    const tell = (): void =>
      this.around.post({ kind: 'rooms', from: this.id, rooms: [...this.own] });
    void this.around.live().then(tell);
  }

  hear(message: Message & { kind: 'rooms' | 'gone' | 'joined' }): void {
    if (message.kind === 'rooms') this.wanted.set(message.from, message.rooms);
    else if (message.kind === 'gone') this.wanted.delete(message.from);
    else {
      this.joined = message.rooms;
      this.settle();
      if (message.refused) {
        this.refuse(message.refused.rooms, errorOf(message.refused.error)!);
      }
    }
  }

  /** The leader's connection is new: it has been asked for these rooms. */
  restart(rooms: readonly string[]): void {
    this.asked.clear();
    this.inForce.clear();
    this.watched.clear();
    for (const room of [...rooms, ...this.joined]) this.asked.add(room);
    this.watch();
  }

  /** The leader joins what is new, and leaves what no tab has. */
  async update(source: Source, term: number): Promise<void> {
    this.watch();
    const union = this.union;
    const joins = union.filter((room) => !this.asked.has(room));
    const leaves = [...this.asked].filter((room) => !union.includes(room));
    for (const room of joins) this.asked.add(room);
    for (const room of leaves) {
      this.asked.delete(room);
      this.inForce.delete(room);
    }
    // What the server says to a room that nobody wants changes nothing.
    if (leaves.length > 0) await source.leave(...leaves).catch(() => {});
    await this.joinAt(source, term, joins);
  }

  /** Joins rooms, by a request that is under way if there is one, and tells the tabs. */
  async joinAt(
    source: Source,
    term: number,
    rooms: readonly string[],
    request?: Promise<unknown>,
  ): Promise<void> {
    const done = (refused?: (Message & { kind: 'joined' })['refused']): void => {
      const joined = [...this.inForce];
      this.around.post({
        kind: 'joined',
        term,
        rooms: joined,
        ...(refused === undefined ? {} : { refused }),
      });
    };
    if (rooms.length === 0) return done();
    try {
      await (request ?? source.join(...rooms));
      for (const room of rooms) if (this.asked.has(room)) this.inForce.add(room);
      done();
    } catch (thrown) {
      // One by one, so that a room that is refused to one tab keeps no other out.
      if (rooms.length > 1) {
        for (const room of rooms) await this.joinAt(source, term, [room]);
        return;
      }
      for (const room of rooms) this.asked.delete(room);
      done({ rooms, error: factsOf(thrown as SseClientError) });
    }
  }

  /** The tab is closed. */
  end(error: Error): void {
    for (const { reject } of this.asking.splice(0)) reject(error);
  }

  /** A tab that has crashed cannot say that it is gone. */
  private watch(): void {
    for (const tab of this.wanted.keys()) {
      if (tab === this.id || this.watched.has(tab)) continue;
      this.watched.add(tab);
      this.around.watch(tab, () => this.around.post({ kind: 'gone', from: tab }));
    }
  }

  private settle(): void {
    this.asking = this.asking.filter(({ rooms, resolve }) => {
      const isIn = rooms.every((room) => this.joined.includes(room));
      if (isIn) resolve();
      return !isIn;
    });
  }

  private refuse(refused: readonly string[], error: Error): void {
    this.asking = this.asking.filter(({ rooms, reject }) => {
      const isRefused = rooms.some((room) => refused.includes(room));
      if (isRefused) reject(error);
      return !isRefused;
    });
    const lost = refused.filter((room) => this.own.delete(room));
    if (lost.length > 0) this.announce();
  }
}
