import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import type { RoomEntries } from '../../lib/log/entries.js';
import type {
  Appended,
  EventLogReads,
  Head,
  LogFollower,
  NewEvent,
  RoomEntry,
  RoomsRange,
  RoomsRead,
} from '../../lib/log/event-log.js';
import { RedisEventLog } from '../../lib/redis/event-log-redis.js';
import type { Cursor } from '../../lib/wire/cursor.js';
import type { RedisServer } from '../support/redis-server.js';
import type { Disturbance, ModelLog, ProcessLog } from './model.js';
import type { Schedule } from './schedule.js';
import { STATE_DEFAULTS } from '../../lib/log/state.options.js';

/** Copies all keys of a prefix, under another one. */
const BACK_UP = `
for _, key in ipairs(redis.call('KEYS', 'copy:' .. ARGV[1] .. '*')) do redis.call('DEL', key) end
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('COPY', key, 'copy:' .. key) end
return 1`;

/**
 * At one moment, as a server that was restarted with these keys; with a name for it, another
 * server.
 */
const GO_BACK = `
local copies = redis.call('KEYS', 'copy:' .. ARGV[1] .. '*')
if #copies == 0 then return 0 end
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('DEL', key) end
for _, key in ipairs(copies) do redis.call('COPY', key, string.sub(key, 6)) end
if ARGV[2] ~= '' then redis.call('HSET', ARGV[1] .. ':{hub:}:meta', 'server', ARGV[2]) end
return 1`;

/** The real log on a real server; what it answers and hands on is as slow as the schedule wants. */
export class RedisModelLog implements ModelLog {
  private readonly prefix = randomUUID();
  private readonly publisher: RedisEventLog;
  private readonly processes: SlowRedisLog[] = [];
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly appending = new Set<Promise<unknown>>();
  /** For a mutant: what a process cannot know without asking. */
  position = 0;

  constructor(
    private readonly server: RedisServer,
    readonly schedule: Schedule,
    private readonly maxEvents: number,
  ) {
    this.publisher = this.open();
  }

  async append(event: NewEvent): Promise<Appended> {
    const appending = this.awaiting(this.publisher.append(event));
    this.appending.add(appending);
    const appended = await appending.finally(() => this.appending.delete(appending));
    this.position = Math.max(this.position, appended.position ?? 0);
    return appended;
  }

  /** Something that the server has to answer. */
  awaiting<T>(call: Promise<T>): Promise<T> {
    this.underWay.add(call);
    return call.finally(() => this.underWay.delete(call));
  }

  connect(): ProcessLog {
    const process = new SlowRedisLog(this, this.open());
    this.processes.push(process);
    return process;
  }

  /** The clock is the server's. */
  pass(): void {}

  failOver(): void {
    throw new Error('a fail-over has a test of its own');
  }

  async disturb(what: Disturbance): Promise<void> {
    if (what === 'cut') await this.server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    if (what === 'loseEverything') await this.server.command('FLUSHALL');
    if (what === 'loseNotification') this.schedule.pick(this.processes)?.loseNext();
    if (what === 'backUp') await this.server.command('EVAL', BACK_UP, '0', this.prefix);
    if (what === 'goBack') await this.goBack('another server');
    // Where no process has handed on what is lost then, nobody can know.
    if (what === 'goBackInPlace' && (await this.isSeen())) {
      await this.goBack('');
      if (this.schedule.below(2) === 0) await this.disturb('cut');
    }
  }

  private async goBack(server: string): Promise<void> {
    await Promise.allSettled(this.appending);
    await this.server.command('EVAL', GO_BACK, '0', this.prefix, server);
  }

  private async isSeen(): Promise<boolean> {
    await Promise.allSettled(this.appending);
    const head = await this.publisher.head();
    return this.processes.some((process) => process.isAt(head) && process.handedOn(head));
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.underWay);
    let head = await this.publisher.head();
    const deadline = Date.now() + 30_000;
    for (let n = 0; !this.processes.every((process) => process.isAt(head)); n++) {
      if (Date.now() > deadline) {
        const where = this.processes.map((process) => process.where).join('\n');
        throw new Error(`not everybody got to ${inspect(head)}:\n${where}`);
      }
      // A process that hears nothing would send one by itself, some seconds later.
      if (n % 50 === 0) await this.publisher.probe();
      for (const process of this.processes) process.arrive();
      await new Promise(setImmediate);
      // A process may have begun a new epoch for all.
      if (n % 50 === 49) head = await this.publisher.head();
    }
  }

  async close(): Promise<void> {
    await this.publisher.close();
  }

  private open(): RedisEventLog {
    const history = { maxEvents: this.maxEvents, maxAgeMs: 300_000, maxBytes: 67_108_864 };
    const options = { url: this.server.url, prefix: this.prefix };
    return new RedisEventLog(options, { name: '', history, state: STATE_DEFAULTS });
  }
}

class SlowRedisLog implements ProcessLog {
  private readonly arriving: (() => void)[] = [];
  private isDeaf = false;

  constructor(
    private readonly shared: RedisModelLog,
    private readonly log: RedisEventLog,
  ) {}

  append(event: NewEvent): Promise<Appended> {
    return this.slowly(() => this.log.append(event));
  }
  head(): Promise<Head> {
    return this.slowly(() => this.log.head());
  }
  read(rooms: readonly string[], range: RoomsRange): Promise<RoomsRead> {
    return this.slowly(() => this.log.read(rooms, range));
  }
  entries(room: string): Promise<RoomEntries | undefined> {
    return this.slowly(() => this.log.entries(room));
  }
  entry(room: string, key: string): Promise<RoomEntry['event'] | undefined> {
    return this.slowly(() => this.log.entry(room, key));
  }
  readsFor(after: Cursor): EventLogReads {
    const reads = this.log.readsFor(after);
    return {
      head: () => this.slowly(() => reads.head()),
      read: (rooms, range) => this.slowly(() => reads.read(rooms, range)),
    };
  }

  async follow(follower: LogFollower): Promise<Head> {
    const head = await this.log.follow(follower);
    const { following } = this;
    const hear = following.message.bind(following);
    following.message = (text) => {
      if (!this.isDeaf) this.arriving.push(() => hear(text));
      this.isDeaf = false;
    };
    return head;
  }

  /** The next notification does not come. */
  loseNext(): void {
    this.isDeaf = true;
  }

  isAt({ epoch, position }: Head): boolean {
    const { head } = this.following;
    return head?.epoch === epoch && head.position === position;
  }

  handedOn({ position }: Head): boolean {
    return this.following['lastTaken']?.position === position;
  }

  get where(): string {
    return inspect(this.log, { depth: 3, breakLength: 200 });
  }

  arrive(): boolean {
    const next = this.arriving.shift();
    next?.();
    return next !== undefined;
  }

  get fresh(): number {
    return this.shared.position;
  }

  close(): Promise<void> {
    return this.log.close();
  }

  private get following() {
    return this.log['following']!;
  }

  private async slowly<T>(call: () => Promise<T>): Promise<T> {
    await this.shared.schedule.pause();
    const result = await this.shared.awaiting(call());
    await this.shared.schedule.pause();
    return result;
  }
}
