import type { Cursor } from '../wire/cursor.js';
import { describe, SseClosedError, SseOptionsError } from '../ground/errors.js';
import type {
  Appended,
  EventLog,
  EventLogFactory,
  EventLogReads,
  Head,
  LogFollower,
  NewEvent,
  RoomsRange,
  RoomsRead,
} from '../log/event-log.js';
import { newEpoch } from '../log/epoch.js';
import type { HistoryOptions } from '../log/history.options.js';
import { KEY_LIFETIME_MS } from '../log/idempotency-keys.js';
import { REPAIR_TIMEOUT_MS } from './client.js';
import { encodeEvent } from './event-text.js';
import { Follower } from './follower.js';
import { Link } from './link.js';
import { LogReads } from './log-reads.js';
import { checkRedisOptions, REDIS_DEFAULTS, type RedisEventLogOptions } from './redis.options.js';
import { FORMAT } from './script.js';
import { END, HEAD, PROBE, PUBLISH } from './scripts.js';

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
  private readonly keys: Readonly<Record<'meta' | 'rooms' | 'oldest' | 'room' | 'key', string>>;
  private readonly channel: string;
  private readonly name: string;
  private readonly history: Required<HistoryOptions>;
  private readonly customSerializer: boolean;
  private following: Follower | undefined;
  private opened: Promise<void> | undefined;
  private isClosed = false;
  private readonly durable: string;

  constructor(
    private readonly options: RedisEventLogOptions,
    { name, history, serialize }: HubContext,
  ) {
    this.name = name;
    this.history = history;
    this.customSerializer = serialize !== undefined;
    const prefix = `${keyPrefixOf(options)}${options.prefix ?? REDIS_DEFAULTS.prefix}:{hub:${name}}`;
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
    this.reads = new LogReads(this.keys, (...call) => this.link.read(...call));
    this.durable = options.durable === true ? '1' : '0';
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
      this.durable,
      encodeEvent(event, this.customSerializer),
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
    const reply = await this.link.ask(PUBLISH, keys, args, replicas);
    const [epoch = '', position] = String(reply).split(' ');
    return { epoch, position: position ? Number(position) : undefined };
  }

  async head(): Promise<Head> {
    await this.open();
    return this.readHead();
  }

  async read(rooms: readonly string[], range: RoomsRange): Promise<RoomsRead> {
    await this.open();
    return this.reads.read(rooms, range);
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
      throw this.refusal(describe(error)) ?? error;
    }
  }

  /** The error for a store that this process cannot use. */
  private refusal(why: string): SseOptionsError | undefined {
    const { prefix = REDIS_DEFAULTS.prefix } = this.options;
    const format = /FORMAT (\w+)/.exec(why)?.[1];
    if (format !== undefined) {
      const expected =
        Number(format) > Number(FORMAT)
          ? `a log of format ${FORMAT} (choose another prefix, or upgrade this process)`
          : `a log of format ${FORMAT} (choose another prefix, or stop all processes of the older version and delete the key ${this.keys.meta})`;
      return new SseOptionsError('redisEventLog.prefix', expected, `format ${format}`);
    }
    if (why.includes('NOIDENTITY')) {
      const expected =
        'true, because scripts cannot read `master_replid` in `INFO replication` of this server (set it only if the store never loses acknowledged writes)';
      return new SseOptionsError('redisEventLog.durable', expected, this.options.durable);
    }
    if (!/NOTOURS|WRONGTYPE/.test(why)) return undefined;
    const expected = 'a prefix that no other program uses';
    return new SseOptionsError('redisEventLog.prefix', expected, prefix);
  }

  private async readHead(): Promise<Head> {
    return headOf(await this.link.ask(HEAD, [this.keys.meta], [newEpoch(), this.durable]));
  }

  /** Publishes the log's head to all followers, this one included. */
  async probe(): Promise<void> {
    await this.link.ask(PROBE, [this.keys.meta], this.noticeArgs());
  }

  private async end({ epoch, position }: Head): Promise<Head> {
    const args = [...this.noticeArgs(), epoch, String(position)];
    return headOf(await this.link.ask(END, [this.keys.meta], args));
  }

  private noticeArgs(): string[] {
    return [newEpoch(), this.durable, this.channel, this.link.publishCommand];
  }
}

function headOf(reply: unknown): Head {
  const [epoch, position, begin] = reply as [string, string, string];
  return { epoch, position: Number(position), begin: Number(begin) };
}

function keyPrefixOf({ client }: RedisEventLogOptions): string {
  return (client as { options?: { keyPrefix?: string } } | undefined)?.options?.keyPrefix ?? '';
}
