// Entries of rooms on Redis, while processes die, servers restart and notices are lost.
import { afterAll, afterEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { EntryChange, EntryEnd } from '../../lib/log/entries.js';
import type { Appended, EventLog, Head, LogFollower } from '../../lib/log/event-log.js';
import type { LoggedEvent } from '../../lib/log/event.js';
import type { RedisEventLogOptions } from '../../lib/redis/redis.options.js';
import { redisEventLog } from '../../lib/redis/event-log-redis.js';
import { STATE_DEFAULTS } from '../../lib/log/state.options.js';
import { inPieces } from '../../lib/testing/in-pieces.js';
import { encodeBody } from '../../lib/wire/frame.js';
import { formatCursor } from '../../lib/wire/cursor.js';
import {
  describeRedis,
  startRedis,
  stopAllRedis,
  type RedisServer,
} from '../support/redis-server.js';
import { startProxy } from '../support/tcp-proxy.js';
import { until, untilReplicated } from '../support/until.js';

jest.setTimeout(40_000);

const HISTORY = { maxEvents: 1_000, maxAgeMs: 300_000, maxBytes: 67_108_864 };
const META = 'sse:{hub:}:meta';
const begun: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(begun.splice(0).map((end) => end()));
  await stopAllRedis();
  jest.restoreAllMocks();
});
afterAll(stopAllRedis);

/** A log of one process. */
function open(port: number, options: RedisEventLogOptions = {}): EventLog {
  const url = `redis://127.0.0.1:${port}`;
  const log = redisEventLog({ url, probeIntervalMs: 200, ...options })({
    name: '',
    history: HISTORY,
    state: STATE_DEFAULTS,
  });
  begun.push(() => log.close());
  return log;
}

const set = (key: string, value: unknown, more: Partial<EntryChange> = {}) =>
  eventOf('set', { key, value }, { key, kind: 'set', ...more });
const deletion = (key: string, more: Partial<EntryChange> = {}) =>
  eventOf('delete', { key }, { key, kind: 'delete', ...more });
const ending = (key: string, value: unknown, ms: number) =>
  set(key, value, { ttl: { ms, end: () => deletion(key) } });

function eventOf(type: string, data: unknown, entry: EntryChange): EntryEnd {
  const message = { type, data };
  return { rooms: ['a'], message, body: encodeBody(message), entry };
}

const keyOf = ({ message }: LoggedEvent): string => (message.data as { key: string }).key;
const keysOf = async (log: EventLog): Promise<unknown[]> =>
  ((await log.entries('a'))?.events ?? []).map(keyOf);

/** What a process gets. */
class Heard implements LogFollower {
  readonly events: LoggedEvent[] = [];
  readonly gaps: string[] = [];
  heads: Head[] = [];

  event(event: LoggedEvent): void {
    this.events.push(event);
  }
  rooms(): string[] {
    return ['a'];
  }
  lost({ reason }: { readonly reason: string }): void {
    this.gaps.push(reason);
  }
  caughtUp(head: Head): void {
    this.heads.push(head);
  }

  /** The positions of the events that deleted a key. */
  get ends(): [key: string, position: number | undefined][] {
    return this.events
      .filter(({ message }) => message.type === 'delete')
      .map((event) => [keyOf(event), event.position]);
  }
}

async function follow(port: number, options: RedisEventLogOptions = {}) {
  const log = open(port, options);
  const heard = new Heard();
  await log.follow(heard);
  return { log, heard };
}

const eventsIn = async (log: EventLog): Promise<(string | undefined)[]> => {
  const { rooms } = await log.read(['a'], { after: 0, maxEvents: 1_000, maxBytes: 1_000_000 });
  return rooms[0]!.entries.map(({ event }) => event.message.type);
};

describeRedis('an entry with a ttl', () => {
  it('is ended once by the others if the process that set it has died', async () => {
    const { port } = await startRedis();
    const dying = open(port);
    const [first, second] = [await follow(port), await follow(port)];
    await dying.append(ending('k', 1, 300));
    await dying.close();
    await until('both hear of it', () => first.heard.ends.length + second.heard.ends.length >= 2);
    await first.log.append(set('k', 2, { condition: 'absent' }));
    await until('both hear it', () =>
      [first, second].every(({ heard }) => heard.events.length > 2),
    );
    expect(await eventsIn(first.log)).toEqual(['set', 'delete', 'set']);
    expect(first.heard.events.map(({ position }) => position)).toEqual(
      second.heard.events.map(({ position }) => position),
    );
  });

  it('is ended by a process that was started after it was set', async () => {
    const { port } = await startRedis();
    const dying = open(port);
    await dying.append(ending('k', 1, 300));
    await dying.close();
    const { heard, log } = await follow(port);
    await until('it hears of it', () => heard.ends.length > 0);
    expect(await eventsIn(log)).toEqual(['set', 'delete']);
  });

  it('is ended by a process that has missed its notice, and reads what it missed', async () => {
    const { port } = await startRedis();
    const way = await startProxy(port);
    begun.push(() => way.close());
    const { heard } = await follow(way.port);
    const dying = open(port);
    await dying.head();
    way.refuse();
    await dying.append(ending('k', 1, 1_000));
    await dying.append(set('other', 1));
    await dying.append(deletion('other'));
    await dying.close();
    way.heal();
    await until('it hears of the end', () => heard.ends.some(([key]) => key === 'k'));
    expect(heard.gaps).toEqual([]);
    expect(heard.events.map(({ message }) => message.type)).toEqual([
      'set',
      'set',
      'delete',
      'delete',
    ]);
  });

  it('is told once and in order by two processes that race for many', async () => {
    const { port } = await startRedis();
    const [one, other] = [await follow(port), await follow(port)];
    const keys = Array.from({ length: 500 }, (_, n) => `key ${n}`);
    const setters = [one, other];
    await inPieces(keys, (key, n) => setters[n % 2]!.log.append(ending(key, n, 100)));
    for (const { heard } of setters) {
      await until('all are told', () => heard.ends.length >= keys.length);
      const positions = heard.events.map(({ position }) => position ?? 0);
      expect(positions).toEqual([...positions].sort((a, b) => a - b));
      expect(heard.ends.map(([key]) => key).sort()).toEqual([...keys].sort());
    }
    expect(one.heard.ends).toEqual(other.heard.ends);
    expect(await one.log.head()).toMatchObject({
      position: one.heard.ends.at(-1)?.[1],
      entries: 0,
    });
  });

  it('is absent as soon as its end is due, also if nobody has written it', async () => {
    const { port } = await startRedis();
    const [reader, dying] = [open(port), open(port)];
    // It follows nothing, so it does not hear of the end.
    await reader.head();
    const before = await dying.append(ending('k', 1, 100));
    await dying.append(set('stays', 1));
    await dying.close();
    await until('it is gone', async () => (await reader.entry('a', 'k')) === undefined);
    expect(await keysOf(reader)).toEqual(['stays']);
    expect((await reader.append(deletion('k'))).position).toBeUndefined();
    const condition = { epoch: before.epoch, position: before.position! };
    await expect(reader.append(set('k', 2, { condition }))).rejects.toMatchObject({
      code: 'SSE_CONFLICT',
      position: undefined,
    });
    expect(await eventsIn(reader)).toEqual(['set', 'set']);
    await reader.append(set('k', 3, { condition: 'absent' }));
    expect(await eventsIn(reader)).toEqual(['set', 'set', 'delete', 'set']);
  });
});

describeRedis('entries', () => {
  const restarted = async (redis: RedisServer): Promise<number> => {
    await redis.restart();
    return redis.port;
  };
  const promoted = async (redis: RedisServer): Promise<number> => {
    const replica = await startRedis({ replicaOf: redis });
    await untilReplicated(redis);
    await replica.command('REPLICAOF', 'NO', 'ONE');
    await redis.kill();
    return replica.port;
  };

  it.each([
    ['a restart of the server', restarted],
    ['the promotion of a replica', promoted],
  ])('outlive %s, which begins a new epoch', async (_what, change) => {
    const redis = await startRedis({ persist: true });
    const before = open(redis.port);
    const kept = await before.append(set('kept', 1));
    const changed = await before.append(set('changed', 1));
    await before.append(ending('ends', 1, 500));
    await before.close();
    const { log, heard } = await follow(await change(redis));
    const head = await log.head();
    expect(head.epoch).not.toBe(kept.epoch);
    expect(head.entries).toBeGreaterThanOrEqual(2);
    expect(await log.entry('a', 'kept')).toMatchObject(kept);
    await expect(log.append(set('kept', 2, { condition: 'absent' }))).rejects.toMatchObject({
      code: 'SSE_CONFLICT',
      position: formatCursor({ epoch: kept.epoch, position: kept.position! }),
    });
    const condition = { epoch: changed.epoch, position: changed.position! };
    const again = await log.append(set('changed', 2, { condition }));
    expect(again.epoch).toBe(head.epoch);
    await until('the end is told', () => heard.ends.length > 0);
    const { events, hasPlain, epoch } = (await log.entries('a'))!;
    expect(events.map((event) => [event.epoch, event.position])).toEqual([
      [kept.epoch, kept.position],
      [again.epoch, again.position],
    ]);
    expect({ hasPlain, epoch }).toEqual({ hasPlain: false, epoch: head.epoch });
    expect((await log.head()).entries).toBe(2);
  });

  it('are there for a process that was there before the restart, and sets another', async () => {
    const redis = await startRedis({ persist: true });
    const log = open(redis.port);
    await log.append(set('k', 1));
    await redis.restart();
    // The first call after the restart, which begins the epoch.
    let added: Appended | undefined;
    await until('Redis is back', async () => {
      added = await log.append({ ...set('other', 1), key: 'once' }).catch(() => undefined);
      return added !== undefined;
    });
    expect(await keysOf(log)).toEqual(['k', 'other']);
    expect(await log.head()).toMatchObject({ epoch: added?.epoch, entries: 2 });
  });

  it('are gone after FLUSHALL, and can be set again', async () => {
    const redis = await startRedis();
    const { log, heard } = await follow(redis.port);
    await log.append(set('k', 1));
    await log.append(ending('ends', 1, 100));
    await redis.command('FLUSHALL');
    expect(await log.entries('a')).toBeUndefined();
    expect(await log.entry('a', 'k')).toBeUndefined();
    expect((await log.head()).entries).toBeUndefined();
    expect((await log.append(deletion('k'))).position).toBeUndefined();
    const { epoch, position } = await log.append(set('k', 2, { condition: 'absent' }));
    await until('it hears of the new epoch', () => heard.heads.at(-1)?.epoch === epoch);
    const { events } = (await log.entries('a'))!;
    expect(events.map((event) => event.position)).toEqual([position]);
    expect((await log.head()).entries).toBe(1);
  });

  it('of a log whose key was deleted are not those of the next', async () => {
    const redis = await startRedis();
    const log = open(redis.port);
    await log.append(set('k', 1));
    await log.append(ending('ends', 1, 60_000));
    await redis.command('DEL', META);
    expect(await log.entries('a')).toBeUndefined();
    await log.append(set('other', 1));
    expect(await keysOf(log)).toEqual(['other']);
    expect((await log.head()).entries).toBe(1);
  });

  it('are read whole where their order was evicted, and without one that is damaged', async () => {
    const warnings: unknown[] = [];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((text) => void warnings.push(text));
    const redis = await startRedis();
    const log = open(redis.port);
    const keys = Array.from({ length: 1_200 }, (_, n) => `key ${n}`);
    for (const key of keys) await log.append(set(key, 1));
    await log.append(set('key 7', 2));
    const expected = [...keys.filter((key) => key !== 'key 7'), 'key 7'];
    expect(await keysOf(log)).toEqual(expected);
    await redis.command('DEL', 'sse:{hub:}:order:a');
    expect(await keysOf(log)).toEqual(expected);
    expect(warnings).toEqual([]);
    await redis.command('HSET', 'sse:{hub:}:entries:a', 'key 9', 'epoch 9 0 not an event');
    expect(await keysOf(log)).toEqual(expected.filter((key) => key !== 'key 9'));
    expect(await log.entry('a', 'key 9')).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining('cannot be read and is left out')]);
  });

  it('of a room without any are forgotten after its events', async () => {
    const redis = await startRedis();
    const log = open(redis.port);
    await log.append(set('k', 1));
    const ttl = async (): Promise<number> =>
      Number(await redis.command('PTTL', 'sse:{hub:}:entries:a'));
    expect(await ttl()).toBe(-1);
    await log.append(deletion('k'));
    expect(await ttl()).toBeGreaterThan(HISTORY.maxAgeMs);
    await log.append(set('k', 2));
    expect(await ttl()).toBe(-1);
  });
});
