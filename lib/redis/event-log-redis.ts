import { randomBytes } from 'node:crypto';
import { formatCursor, parseCursors, type Cursor, type Position } from '../cursor.js';
import { describe, SseClosedError, SseOptionsError } from '../errors.js';
import type {
  Appended,
  EventLog,
  EventLogFactory,
  EventLogReads,
  Head,
  HistoryOptions,
  LogFollower,
  NewEvent,
  RoomEntry,
  RoomsRange,
  RoomsRead,
  RoomState,
} from '../event-log.js';
import { readMissed, REPLAY_CAP, type Missed } from '../resume.js';
import { encodeEvent, StoredEvent } from './event-text.js';
import { Follower } from './follower.js';
import { CALL_TIMEOUT_MS } from './client.js';
import { Link, unavailable, within } from './link.js';
import { checkRedisOptions, type RedisEventLogOptions } from './redis.options.js';
import { HEAD, PROBE, PUBLISH, READ } from './scripts.js';
import { fitting, type RoomView } from '../room-range.js';
import type { RoomPage } from './tail.js';

/** How long a key keeps a second event with it out. */
const KEY_LIFETIME_MS = 300_000;
/** A client that returns has mostly missed less; one read then serves all who return. */
const PAGE_US = 60_000_000;
/** So many rooms are read at a time. */
const MAX_READS = 64;

/** Of the newest events, and of what was read behind them, each process keeps so much. */
const TAIL_BYTES = 16 * 1_048_576;

const EVERYTHING_LOST: State = { last: Number.MAX_SAFE_INTEGER, entries: [] };

type State = Omit<RoomState, 'isWhole'>;

interface RoomRange {
  readonly after: Position;
  readonly limit: number;
  readonly newest?: boolean;
}

type Hub = Parameters<EventLogFactory>[0];

/**
 * The log of hubs that several processes share, on Redis 6.2 or newer, Valkey, or a Redis Cluster.
 * @throws SseOptionsError at once for a wrong option; at start-up SseError where Redis cannot be used, with the remedy
 * @example `SseModule.forRoot({ log: redisEventLog({ url: 'redis://localhost:6379' }) })`
 * @publicApi
 */
export function redisEventLog(options: RedisEventLogOptions): EventLogFactory {
  checkRedisOptions('redisEventLog', options);
  if ((options?.client === undefined) === (options?.url === undefined)) {
    throw new SseOptionsError('redisEventLog', 'either `client` or `url`', options);
  }
  return (hub) => new RedisEventLog(options, hub);
}

export class RedisEventLog implements EventLog {
  private readonly link: Link;
  private readonly keys: Readonly<Record<'meta' | 'rooms' | 'oldest' | 'room' | 'key', string>>;
  private readonly channel: string;
  private readonly name: string;
  private readonly history: Required<HistoryOptions>;
  private readonly hasOwnSerializer: boolean;
  private following: Follower | undefined;
  private opened: Promise<void> | undefined;
  private isClosed = false;
  private readonly pages = new Map<string, { after: Position; page: Promise<RoomPage> }>();
  private reads = 0;
  private readonly waitingReads = new Set<() => void>();

  constructor(
    private readonly options: RedisEventLogOptions,
    { name, history, serialize }: Hub,
  ) {
    this.name = name;
    this.history = history;
    this.hasOwnSerializer = serialize !== undefined;
    const prefix = `${keyPrefixOf(options)}${options.prefix ?? 'sse'}:{hub:${name}}`;
    this.channel = `${prefix}:events`;
    this.keys = {
      meta: `${prefix}:meta`,
      rooms: `${prefix}:rooms`,
      oldest: `${prefix}:oldest`,
      room: `${prefix}:room:`,
      key: `${prefix}:key:`,
    };
    this.link = new Link(this.channel, options, {
      message: (text) => this.following?.message(text),
      subscribed: () => this.following?.subscribed(),
      away: (why) => this.following?.away(why),
    });
  }

  get trouble(): string | undefined {
    return this.isClosed ? 'the hub is closed' : this.following?.trouble;
  }

  async append(event: NewEvent): Promise<Appended> {
    await this.open();
    const { meta, rooms, oldest, room, key } = this.keys;
    const { maxEvents, maxAgeMs, maxBytes } = this.history;
    const keys = [meta, rooms, oldest, key + (event.key ?? '')];
    for (const name of event.rooms) keys.push(room + name);
    const args = [
      newEpoch(),
      encodeEvent(event, this.hasOwnSerializer),
      this.channel,
      this.link.publishCommand,
      String(maxEvents),
      String(maxAgeMs * 1000),
      String(maxBytes),
      String(maxAgeMs * 2),
      String(event.key === undefined ? 0 : KEY_LIFETIME_MS),
      event.ephemeral ? '1' : '0',
      room,
      ...event.rooms,
    ];
    const replicas = event.ephemeral ? 0 : this.options.minReplicas;
    const reply = await this.link.run(PUBLISH, keys, args, replicas);
    const [epoch = '', position] = String(reply).split(' ');
    return { epoch, position: position ? Number(position) : undefined };
  }

  async head(): Promise<Head> {
    await this.open();
    return this.readHead();
  }

  read(rooms: readonly string[], range: RoomsRange): Promise<RoomsRead> {
    return this.readRooms(rooms, range);
  }

  async follow(follower: LogFollower): Promise<Head> {
    await this.open();
    this.following = new Follower(
      follower,
      {
        head: () => this.head(),
        missed: (rooms, after, upTo) => this.missed(rooms, after, upTo),
        had: ({ room, position }) => this.had(room, position),
        probe: () => this.probe(),
        listenAnew: () => this.link.listenAnew(),
      },
      {
        hub: this.name,
        tailBytes: TAIL_BYTES,
        probeIntervalMs: this.options.probeIntervalMs ?? 4_000,
      },
    );
    try {
      await this.link.listen();
      return await this.following.begin();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** From here for a client that has not read further than this process, else from Redis. */
  readsFor(lastEventId: string): EventLogReads {
    const { following } = this;
    const head = following?.head;
    const known = parseCursors(lastEventId)?.find(({ epoch }) => epoch === head?.epoch);
    if (following === undefined || head === undefined) return this;
    if (known === undefined || known.position > head.position) return this.readsOfOneLog();
    return {
      head: async () => head,
      read: async (rooms, range) => {
        const states = rooms.map((room) => this.localState(room, known, following));
        return {
          epoch: known.epoch,
          rooms: fitting((await Promise.all(states)).map(viewOf), range),
        };
      },
    };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.following?.close();
    this.link.close();
  }

  private async open(): Promise<void> {
    if (this.isClosed) throw new SseClosedError('the hub');
    this.opened ??= this.connect();
    await this.opened;
  }

  private async connect(): Promise<void> {
    await this.link.open();
    try {
      await this.readHead();
    } catch (error) {
      this.link.close();
      if (!/NOTOURS|WRONGTYPE/.test(describe(error))) throw error;
      const expected = 'one under which no other program has keys';
      throw new SseOptionsError('redisEventLog.prefix', expected, this.options.prefix ?? 'sse');
    }
  }

  private async readHead(): Promise<Head> {
    const reply = await this.link.run(HEAD, [this.keys.meta], [newEpoch()]);
    const [epoch, position] = reply as [string, string];
    return { epoch, position: Number(position) };
  }

  private async readRooms(
    rooms: readonly string[],
    range: RoomsRange,
    epoch?: string,
  ): Promise<RoomsRead> {
    const { after, maxEvents: limit, newest } = range;
    const expected = epoch ?? (await this.head()).epoch;
    const one = { after, limit: limit + 1, newest };
    const states = await Promise.all(rooms.map((room) => this.readRoom(room, one, expected)));
    return { epoch: expected, rooms: fitting(states.map(viewOf), range) };
  }

  private async readRoom(
    room: string,
    { after, limit, newest = false }: RoomRange,
    expectedEpoch?: string,
  ): Promise<State> {
    await this.open();
    const { meta, rooms } = this.keys;
    const keys = [meta, rooms, this.keys.room + room];
    const args = [room, String(after), String(limit), newest ? '1' : '0'];
    const reply = await this.limited((deadline) => this.link.run(READ, keys, args, 0, deadline));
    const [epoch, last, entries] = reply as [string, string, StreamEntry[]];
    // Not even a position of another log says anything: its clock may be behind.
    if (epoch === '' || (expectedEpoch ?? epoch) !== epoch) return EVERYTHING_LOST;
    const read = entries.map((entry) => entryOf(epoch, entry));
    return { last: Number(last), entries: newest ? read.reverse() : read };
  }

  /** Lets everybody who follows hear where the log stands. */
  async probe(): Promise<void> {
    const args = [newEpoch(), this.channel, this.link.publishCommand];
    await this.link.run(PROBE, [this.keys.meta], args);
  }

  private missed(rooms: readonly string[], after: Head, upTo: Head): Promise<Missed> {
    const reads = { ...this.readsOfOneLog(upTo.epoch), head: async () => upTo };
    const cap = { events: this.history.maxEvents * rooms.length, bytes: this.history.maxBytes };
    return readMissed(reads, rooms, formatCursor(after), cap);
  }

  private async had(room: string, position: Position): Promise<boolean> {
    const { last, entries } = await this.readRoom(room, { after: position - 1, limit: 1 });
    const [first] = entries;
    if (first === undefined) return last >= position;
    return first.event.position === position || first.previous >= position;
  }

  /** Should the log become another one between the head and a room, then the room has lost everything. */
  private readsOfOneLog(epoch?: string): EventLogReads {
    let expected = epoch;
    return {
      head: async () => {
        const head = await this.head();
        expected = head.epoch;
        return head;
      },
      read: (rooms, range) => this.readRooms(rooms, range, expected),
    };
  }

  private async localState(
    room: string,
    { epoch, position: after }: Cursor,
    { tail }: Follower,
  ): Promise<State> {
    const known = tail.read(room, after);
    if (known !== undefined) return known;
    // Many clients return at once: all who ask for a room get the answer of one read.
    let shared = this.pages.get(room);
    if (shared === undefined || shared.after > after) {
      const from = Math.min(after, tail.beginning - PAGE_US);
      shared = { after: from, page: this.readPage(room, from, epoch) };
      this.pages.set(room, shared);
      const own = shared;
      const forget = (): void => {
        if (this.pages.get(room) === own) this.pages.delete(room);
      };
      own.page.then(forget, forget);
    }
    tail.keep(room, await shared.page);
    const range = { after, limit: REPLAY_CAP.events + 1 };
    return tail.read(room, after) ?? this.readRoom(room, range, epoch);
  }

  private async readPage(room: string, after: Position, epoch: string): Promise<RoomPage> {
    const upTo = this.following?.head?.position ?? 0;
    const limit = REPLAY_CAP.events + 1;
    const state = await this.readRoom(room, { after, limit, newest: true }, epoch);
    const [first] = state.entries;
    const isWhole = first === undefined || state.entries.length < limit;
    return { ...state, after: isWhole ? after : first.previous, upTo };
  }

  /** Not all at once: each answer may be large. */
  private async limited<T>(read: (deadline: number) => Promise<T>): Promise<T> {
    const deadline = performance.now() + CALL_TIMEOUT_MS;
    if (this.reads >= MAX_READS) {
      await within(CALL_TIMEOUT_MS, (go) => {
        this.waitingReads.add(go);
        return () => this.waitingReads.delete(go);
      }).catch(() => Promise.reject(unavailable('too many reads before it')));
    }
    this.reads++;
    try {
      return await read(deadline);
    } finally {
      this.reads--;
      const [next] = this.waitingReads;
      next?.();
    }
  }
}

function viewOf({ last, entries }: State): RoomView {
  return { last, length: entries.length, at: (index) => entries[index] };
}

type StreamEntry = [id: string, fields: [p: string, previous: string, e: string, event: string]];

function entryOf(epoch: string, [id, [, previous, , event]]: StreamEntry): RoomEntry {
  const position = Number.parseInt(id, 10);
  return { event: new StoredEvent(epoch, position, event), previous: Number(previous) };
}

/** 48 random bits: two lifetimes of a log never share a name. */
function newEpoch(): string {
  return randomBytes(6).toString('base64url');
}

function keyPrefixOf({ client }: RedisEventLogOptions): string {
  return (client as { options?: { keyPrefix?: string } } | undefined)?.options?.keyPrefix ?? '';
}
