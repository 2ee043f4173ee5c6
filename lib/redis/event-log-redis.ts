import type { Cursor } from '../wire/cursor.js';
import { describe, SseClosedError, SseOptionsError } from '../ground/errors.js';
import type {
  Appended,
  EventLog,
  EventLogReads,
  Head,
  LogFollower,
  NewEvent,
  RoomEntry,
  RoomsRange,
  RoomsRead,
} from '../log/event-log.js';
import type { EventLogFactory } from '../log/event-log-factory.js';
import type { RoomEntries } from '../log/entries.js';
import { newEpoch } from '../log/epoch.js';
import type { HistoryOptions } from '../log/history.options.js';
import type { StateOptions } from '../log/state.options.js';
import { REPAIR_TIMEOUT_MS } from './client.js';
import { EntryEnds } from './entry-ends.js';
import { EntryReads } from './entry-reads.js';
import { Follower } from './follower.js';
import { keysOf, type HubKeys } from './keys.js';
import { Link } from './link.js';
import { LogReads, type RunRead } from './log-reads.js';
import { PublishCommand } from './publish-command.js';
import { publishArgs, publishKeys, publishReply } from './publish.js';
import { ReadLimit } from './read-limit.js';
import { checkRedisOptions, REDIS_DEFAULTS, type RedisEventLogOptions } from './redis.options.js';
import type { Script } from './script.js';
import { END, END_DUE, HEAD, PROBE, PUBLISH } from './scripts.js';
import { refusal } from './server.js';

/**
 * Each process keeps up to this much of the newest events in memory, and up to the same again of
 * pages with older events.
 */
const TAIL_BYTES = 16 * 1_048_576;

/** What a hub passes to its log. */
type HubContext = Parameters<EventLogFactory>[0];

/**
 * Keeps the events of hubs on Redis 6.2 or newer, Valkey, or a Redis Cluster, so that several
 * processes share them.
 * @throws SseOptionsError for a wrong option; SseError at start-up if Redis cannot be used
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
  private readonly reads: LogReads;
  private readonly entryReads: EntryReads;
  private readonly ends: EntryEnds;
  private readonly keys: HubKeys;
  private readonly name: string;
  private readonly history: Required<HistoryOptions>;
  private readonly state: Required<StateOptions>;
  private readonly customSerializer: boolean;
  private following: Follower | undefined;
  private opened: Promise<void> | undefined;
  private isClosed = false;
  private readonly durable: string;
  private readonly command: PublishCommand | undefined;

  constructor(
    private readonly options: RedisEventLogOptions,
    { name, history, state, serialize, publishing }: HubContext,
  ) {
    this.name = name;
    this.history = history;
    this.state = state;
    this.customSerializer = serialize !== undefined;
    this.keys = keysOf(name, options);
    this.link = new Link(this.keys.channel, options, {
      message: (text) => this.following?.message(text),
      subscribed: () => this.following?.subscribed(),
      away: (why) => this.following?.away(why),
    });
    const run: RunRead = (...call) => this.link.read(...call);
    const limit = new ReadLimit();
    this.durable = options.durable === true ? '1' : '0';
    this.reads = new LogReads(this.keys, run, limit, this.durable);
    this.entryReads = new EntryReads(this.keys, run, limit);
    this.ends = new EntryEnds(() => this.writeEnds());
    if (publishing !== undefined) {
      const settings = () => ({ ...publishing, state, appendArgs: this.appendArgs() });
      this.command = new PublishCommand(this.link, this.keys, settings);
    }
  }

  get trouble(): string | undefined {
    return this.isClosed ? 'the hub is closed' : this.following?.trouble;
  }

  async append(event: NewEvent): Promise<Appended> {
    await this.open();
    const { state, customSerializer } = this;
    const reply = await this.link.ask(
      PUBLISH,
      publishKeys(event, this.keys),
      [...this.appendArgs(), ...publishArgs(event, state, customSerializer)],
      event.ephemeral ? 0 : this.options.minReplicas,
    );
    const appended = publishReply(reply, event, state);
    const ttl = event.entry?.ttl;
    if (ttl !== undefined && appended.position !== undefined) this.ends.in(ttl.ms);
    return appended;
  }

  async head(): Promise<Head> {
    await this.open();
    return this.readHead();
  }

  async read(rooms: readonly string[], range: RoomsRange): Promise<RoomsRead> {
    await this.open();
    return this.reads.read(rooms, range);
  }

  async entries(room: string): Promise<RoomEntries | undefined> {
    await this.open();
    return this.entryReads.entries(room);
  }

  async entry(room: string, key: string): Promise<RoomEntry['event'] | undefined> {
    await this.open();
    return this.entryReads.entry(room, key);
  }

  async follow(follower: LogFollower): Promise<Head> {
    await this.open();
    this.following = new Follower(
      follower,
      {
        head: () => this.head(),
        end: (seen) => this.end(seen),
        read: (asks, limits) => this.reads.readOnce(asks, limits, REPAIR_TIMEOUT_MS),
        probe: () => this.probe(),
        resubscribe: () => this.link.resubscribe(),
        endsIn: (ms) => this.ends.heardOf(ms),
      },
      {
        hub: this.name,
        tailBytes: TAIL_BYTES,
        probeIntervalMs: this.options.probeIntervalMs ?? REDIS_DEFAULTS.probeIntervalMs,
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

  /** From this process, for a client that is not ahead of it; otherwise from Redis. */
  readsFor(after: Cursor): EventLogReads {
    const { following } = this;
    const head = following?.head;
    if (following === undefined || head === undefined) return this;
    if (after.epoch !== head.epoch || after.position > head.position) return this;
    const { tail } = following;
    return {
      head: async () => head,
      read: (rooms, range) => this.reads.readHere(rooms, range, after, { tail, head }),
    };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.ends.close();
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
      const { epoch } = await this.readHead();
      await this.command?.offer(epoch);
    } catch (error) {
      this.link.close();
      throw refusal(describe(error), this.options, this.keys.meta) ?? error;
    }
  }

  private readHead(): Promise<Head> {
    return this.askHead(HEAD, [newEpoch(), this.durable]);
  }

  /** Publishes the log's head to all followers, this one included. */
  async probe(): Promise<void> {
    await this.link.ask(PROBE, [this.keys.meta], this.noticeArgs());
  }

  private end({ epoch, position }: Head): Promise<Head> {
    return this.askHead(END, [...this.noticeArgs(), epoch, String(position)]);
  }

  private async askHead(script: Script, args: readonly string[]): Promise<Head> {
    const { meta, ends } = this.keys;
    const reply = await this.link.ask(script, [meta, ends], args);
    const [epoch, position, begin, entries, endsInMs] = (reply as unknown[]).map(String);
    if (endsInMs) this.ends.heardOf(Number(endsInMs));
    if (epoch) void this.command?.offer(epoch);
    return {
      epoch: epoch ?? '',
      position: Number(position),
      begin: Number(begin),
      entries: entries ? Number(entries) : undefined,
    };
  }

  /** Ends entries that are due. Resolves with the milliseconds until the next one ends. */
  private async writeEnds(): Promise<number | undefined> {
    const { meta, rooms, oldest } = this.keys;
    const reply = await this.link.ask(END_DUE, [meta, rooms, oldest], this.appendArgs());
    return reply === '' ? undefined : Number(reply);
  }

  private noticeArgs(): string[] {
    return [newEpoch(), this.durable, this.keys.channel, this.link.publishCommand];
  }

  private appendArgs(): string[] {
    const { maxEvents, maxAgeMs, maxBytes } = this.history;
    return [
      ...this.noticeArgs(),
      this.keys.hub,
      String(maxEvents),
      String(maxAgeMs * 1000),
      String(maxBytes),
      String(maxAgeMs * 2),
    ];
  }
}
