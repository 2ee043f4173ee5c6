// Who is there, step by step, in a time that the test moves. The model has the random schedules.
import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type {
  HubStreamOptions,
  PresenceOptions,
  SseEvent,
  SseMessage,
  StateRoom,
} from 'nestjs-eventstream';
import { fakeConnection } from 'nestjs-eventstream/testing';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { HubState } from '../../lib/hub/state.js';
import { HISTORY_DEFAULTS } from '../../lib/log/history.options.js';
import type { StateOptions } from '../../lib/log/state.options.js';
import { until } from '../support/until.js';
import { World, type Process } from '../model/presence-world.js';

const LEASE_MS = 15_000;
/** A call to the log, and a few more that it leads to. */
const CALLS_MS = 4_000;

async function start(count: number, state: StateOptions = {}) {
  const world = new World(1, state);
  await world.begin();
  const processes: Process[] = [];
  while (processes.length < count) {
    const process = await world.start();
    process.listen();
    processes.push(process);
  }
  await world.pass(CALLS_MS);
  const changes = (): string[] => world.applied.map(({ what }) => what);
  const idsOf = async (process: Process): Promise<string[]> =>
    (await process.members('lobby')).map(({ id }) => id);
  const keysOf = async (room: string): Promise<unknown[]> =>
    ((await world.log.entries(room))?.events ?? []).map(
      ({ message }) => (message.data as { key: string }).key,
    );
  return { world, processes, changes, idsOf, keysOf };
}

/** Lets the time pass that a call takes. */
async function during<T>(world: World, call: Promise<T>): Promise<T> {
  await world.pass(CALLS_MS);
  return call;
}

/** A room that apps may not name. */
const stateOf = ({ hub }: Process, room: string): StateRoom => new HubState(hub, room);

const one = (world: World): Process => world.processes[0]!;
const two = (world: World): Process => world.processes[1]!;

describe('a member', () => {
  it('joins once and leaves once, however many connections it has, and wherever', async () => {
    const { world, changes, idsOf } = await start(2);
    one(world).connect('lobby', 'ann', 1_000);
    one(world).connect('lobby', 'ann', 1_000);
    two(world).connect('lobby', 'ann', 1_000);
    await world.pass(CALLS_MS);
    expect(changes()).toEqual(['join lobby ann']);
    one(world).disconnect(0);
    two(world).disconnect(0);
    await world.pass(CALLS_MS);
    expect(changes()).toEqual(['join lobby ann']);
    expect(await idsOf(two(world))).toEqual(['ann']);
    one(world).disconnect(0);
    await world.pass(CALLS_MS);
    expect(changes()).toEqual(['join lobby ann', 'leave lobby ann']);
    expect(await idsOf(one(world))).toEqual([]);
    const emitted = world.processes.flatMap((process) => process.emitted);
    expect(emitted.sort()).toEqual(['join lobby ann', 'leave lobby ann']);
  });

  it('costs the log nothing for a second connection to the process', async () => {
    const { world } = await start(1);
    one(world).connect('lobby', 'ann', 1_000);
    await world.pass(CALLS_MS);
    const { length } = world.written;
    one(world).connect('lobby', 'ann', 1_000, 'another name');
    one(world).disconnect(0);
    await world.pass(CALLS_MS);
    expect(world.written).toHaveLength(length);
    expect(await one(world).members('lobby')).toMatchObject([{ id: 'ann', data: { name: 'ann' } }]);
  });

  it.each([
    ['the same process', 0],
    ['another process', 1],
  ])('that comes back to %s within its grace has not left', async (_title, to) => {
    const { world, changes, idsOf } = await start(2);
    one(world).connect('lobby', 'ann', 10_000);
    await world.pass(CALLS_MS);
    one(world).disconnect(0);
    await world.pass(1_000);
    expect(await idsOf(two(world))).toEqual(['ann']);
    world.processes[to]!.connect('lobby', 'ann', 10_000);
    await world.pass(60_000);
    expect(changes()).toEqual(['join lobby ann']);
    world.processes[to]!.disconnect(0);
    await world.pass(9_000);
    expect(changes()).toEqual(['join lobby ann']);
    await world.pass(CALLS_MS);
    expect(changes()).toEqual(['join lobby ann', 'leave lobby ann']);
  });

  it('without a grace leaves at once', async () => {
    const { world, changes } = await start(1);
    one(world).connect('lobby', 'ann', 0);
    await world.pass(CALLS_MS);
    one(world).disconnect(0);
    await world.pass(CALLS_MS);
    expect(changes()).toEqual(['join lobby ann', 'leave lobby ann']);
  });

  it('that left before it was written is nowhere', async () => {
    const { world, idsOf, keysOf } = await start(1);
    one(world).connect('lobby', 'ann', 0);
    one(world).disconnect(0);
    await world.pass(CALLS_MS);
    expect(await idsOf(one(world))).toEqual([]);
    await world.pass(10_000);
    expect(await keysOf('sse:processes')).toEqual([]);
    expect(world.written).toEqual([]);
  });

  it('that has left while it waits for a lease is not added', async () => {
    const { world } = await start(1);
    one(world).connect('lobby', 'ann', 0);
    // The lease is being taken.
    await world.pass(1);
    one(world).disconnect(0);
    await world.pass(CALLS_MS);
    expect(world.written).toEqual([]);
  });

  it('is counted in each of its rooms', async () => {
    const { world } = await start(1);
    for (const room of ['lobby', 'hall']) one(world).connect(room, 'ann', 0);
    one(world).connect('hall', 'bob', 0);
    expect(one(world).hub.usedPresence?.count).toBe(3);
    one(world).disconnect(2);
    await world.pass(CALLS_MS);
    expect(one(world).hub.usedPresence?.count).toBe(2);
  });

  it('that cannot be added is added later, and its stream goes on', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const { world, idsOf } = await start(1, { maxKeys: 2 });
    for (const id of ['ann', 'bob', 'cleo']) one(world).connect('lobby', id, 0);
    await world.pass(CALLS_MS);
    const ids = await idsOf(one(world));
    expect(ids).toHaveLength(2);
    expect(warn).toHaveBeenCalledWith(
      expect.stringContaining('A member could not be added to a room, or removed: state.maxKeys'),
    );
    one(world).disconnect(['ann', 'bob', 'cleo'].indexOf(ids[0]!));
    await world.pass(40_000);
    const left = ['ann', 'bob', 'cleo'].filter((id) => id !== ids[0]);
    expect((await idsOf(one(world))).sort()).toEqual(left);
    warn.mockRestore();
  });
});

describe('a process', () => {
  it('has a lease only while it has members', async () => {
    const { world, keysOf } = await start(1);
    one(world).watch('lobby');
    await world.pass(20_000);
    expect(await keysOf('sse:processes')).toEqual([]);
    one(world).connect('lobby', 'ann', 0);
    await world.pass(60_000);
    expect(await keysOf('sse:processes')).toEqual([
      expect.stringMatching(/^known:/),
      expect.stringMatching(/^live:/),
    ]);
    one(world).disconnect(0);
    await world.pass(10_000);
    expect(await keysOf('sse:processes')).toEqual([]);
    one(world).connect('lobby', 'ann', 0);
    await world.pass(CALLS_MS);
    expect(await keysOf('sse:processes')).toHaveLength(2);
  });

  it('that dies takes its members along, once its lease has ended', async () => {
    const { world, changes, idsOf } = await start(3);
    const ids = Array.from({ length: 40 }, (_none, n) => `member ${n}`);
    for (const id of ids) one(world).connect('lobby', id, 60_000);
    two(world).connect('lobby', 'member 7', 0);
    await world.pass(CALLS_MS);
    one(world).die();
    await world.pass(LEASE_MS - 5_000 - CALLS_MS);
    expect(changes().filter((what) => what.startsWith('leave'))).toEqual([]);
    await world.pass(5_000 + 4 * CALLS_MS);
    expect(await idsOf(two(world))).toEqual(['member 7']);
    const left = world.processes.slice(1).flatMap(({ emitted }) => emitted);
    const expected = ids.filter((id) => id !== 'member 7').map((id) => `leave lobby ${id}`);
    expect(left.filter((what) => what.startsWith('leave')).sort()).toEqual(expected.sort());
  });

  it('finds the members of those that died before it began', async () => {
    const { world, changes, idsOf } = await start(2);
    one(world).connect('lobby', 'ann', 0);
    two(world).connect('hall', 'bob', 0);
    await world.pass(CALLS_MS);
    for (const process of world.processes) process.die();
    await world.pass(2 * LEASE_MS);
    expect([...world.present].sort()).toEqual(['hall bob', 'lobby ann']);
    const third = await world.start();
    expect(await idsOf(third)).toEqual([]);
    third.listen();
    await world.pass(2 * CALLS_MS);
    expect([...world.present]).toEqual([]);
    expect(changes().sort()).toEqual([
      'join hall bob',
      'join lobby ann',
      'leave hall bob',
      'leave lobby ann',
    ]);
  });

  it('repairs a roster of which nobody knows that its process has died', async () => {
    const { world, idsOf } = await start(1);
    const value = { since: 1, on: ['whoever!'] };
    await during(world, stateOf(one(world), 'sse:presence:lobby').set('ann', value));
    expect([...world.present]).toEqual(['lobby ann']);
    expect(await idsOf(one(world))).toEqual([]);
    await world.pass(CALLS_MS);
    expect([...world.present]).toEqual([]);
  });

  it('that was paused for too long puts its members back under another address', async () => {
    const { world, changes, idsOf, keysOf } = await start(2);
    two(world).connect('lobby', 'ann', 0);
    await world.pass(CALLS_MS);
    two(world).pause();
    await world.pass(40_000);
    expect(changes()).toEqual(['join lobby ann', 'leave lobby ann']);
    // Before any timer of the process has noticed.
    two(world).connect('lobby', 'bob', 0);
    await two(world).resume();
    await world.pass(2 * CALLS_MS);
    expect((await idsOf(one(world))).sort()).toEqual(['ann', 'bob']);
    const [live] = (await keysOf('sse:processes')).filter((key) => String(key).startsWith('live:'));
    const late = world.written.slice(2).map(({ on }) => on);
    expect(late).toEqual([[String(live).slice(5)], [String(live).slice(5)]]);
  });

  it('that hears nothing of its lease finds out when it renews it', async () => {
    const { world, changes, idsOf } = await start(1);
    one(world).connect('lobby', 'ann', 0);
    await world.pass(CALLS_MS);
    const [address] = world.written[0]!.on!;
    jest.spyOn(one(world).hub.delivery, 'event').mockReturnValue();
    await during(world, stateOf(one(world), 'sse:processes').delete(`live:${address}`));
    await world.pass(5_000 + 2 * CALLS_MS);
    expect(await idsOf(one(world))).toEqual(['ann']);
    expect(changes()).toEqual(['join lobby ann']);
    expect(world.written.at(-1)!.on).not.toContain(address);
  });

  it('writes its members again where the log may have lost them', async () => {
    const { world, idsOf } = await start(1);
    one(world).connect('lobby', 'ann', 0);
    await world.pass(CALLS_MS);
    await during(world, stateOf(one(world), 'sse:presence:lobby').delete('ann'));
    one(world).hub.delivery.caughtUp({ epoch: 'another', position: 1 });
    await world.pass(2 * CALLS_MS);
    expect(await idsOf(one(world))).toEqual(['ann']);
  });

  it('that shuts down leaves its members to the others for their grace', async () => {
    const { world, changes, idsOf } = await start(2);
    one(world).connect('lobby', 'ann', 10_000);
    one(world).connect('lobby', 'bob', 10_000);
    await world.pass(CALLS_MS);
    await one(world).close();
    two(world).connect('lobby', 'bob', 10_000);
    await world.pass(2_000);
    expect((await idsOf(two(world))).sort()).toEqual(['ann', 'bob']);
    await world.pass(10_000 + CALLS_MS);
    expect(await idsOf(two(world))).toEqual(['bob']);
    expect(changes().slice(2)).toEqual(['leave lobby ann']);
    expect(two(world).emitted).toEqual(['leave lobby ann']);
  });

  it('that shuts down without members leaves nothing behind', async () => {
    const { world, keysOf, changes } = await start(2);
    one(world).connect('lobby', 'ann', 0);
    await world.pass(CALLS_MS);
    await one(world).close();
    await world.pass(CALLS_MS);
    expect(changes()).toEqual(['join lobby ann', 'leave lobby ann']);
    expect(await keysOf('sse:processes')).toEqual([]);
  });
});

describe('the option `presence`', () => {
  const hub = (options = {}): Hub => new Hub(new MemoryEventLog(HISTORY_DEFAULTS), options);
  const failure = (presence: unknown, options: HubStreamOptions<object> = {}): Promise<unknown> =>
    new Promise((resolve) => {
      const connection = fakeConnection();
      const all = { connection, ...options, presence: presence as PresenceOptions };
      hub().stream('lobby', all).subscribe({ error: resolve });
    });

  it.each([
    [{}, 'stream().presence: expected `member`, `watch: true`, or both'],
    [{ watch: false }, 'stream().presence: expected `member`, `watch: true`, or both'],
    [{ member: 'ann' }, 'stream().presence.member: expected a function'],
    [{ watch: 1 }, 'stream().presence.watch: expected true or false'],
    [{ watch: true, graceMs: -1 }, 'stream().presence.graceMs: expected an integer of at least 0'],
    [{ watch: true, grace: 1 }, 'stream().presence.grace: no such option; did you mean graceMs?'],
  ])('refuses %j', (presence, text) => {
    const open = () => hub().stream('lobby', { presence: presence as PresenceOptions });
    expect(open).toThrow(text);
    expect(open).toThrow(expect.objectContaining({ code: 'SSE_OPTIONS' }));
  });

  it.each<[unknown, string]>([
    [null, '.member(): expected { id, data }, or undefined for no member, got null'],
    ['ann', '.member(): expected { id, data }, or undefined for no member, got "ann"'],
    [Promise.resolve({ id: 'ann' }), '.member(): expected { id, data }'],
    [{}, '.member().id: expected a text of 1 to 512 characters'],
    [{ id: 7 }, '.member().id: expected a text of 1 to 512 characters'],
    [{ id: 'x'.repeat(513) }, '.member().id: expected a text of 1 to 512 characters'],
    [{ id: 'a\nb' }, '.member().id: must not contain a line break or NUL'],
    [{ id: 'a', data: 1n }, '.member().data: expected a JSON value, but '],
    [{ id: 'a', data: () => 1 }, '.member().data: expected a JSON value, got a function'],
    [{ id: 'a', data: 'x'.repeat(4_095) }, 'at most 4096 characters, but it has 4097 as JSON'],
  ])('refuses the stream of %p', async (result, text) => {
    const error = await failure({ member: () => result });
    expect(error).toMatchObject({ code: 'SSE_OPTIONS', message: expect.stringContaining(text) });
  });

  it('refuses the stream with what `member` throws, and one without a connection', async () => {
    const thrown = new Error('who?');
    const member = (): never => {
      throw thrown;
    };
    expect(await failure({ member })).toBe(thrown);
    expect(await failure({ member: () => ({ id: 'a' }) }, { connection: false })).toMatchObject({
      code: 'SSE_OPTIONS',
      message: expect.stringContaining('`presence.member` has no connection'),
    });
  });

  it('needs history', async () => {
    const without = hub({ history: false });
    const text = 'needs history; remove `history: false`';
    expect(() => without.stream('lobby', { presence: { watch: true } })).toThrow(text);
    expect(() => without.presence$).toThrow(text);
    await expect(without.members('lobby')).rejects.toThrow(text);
  });
});

describe('a client that watches', () => {
  const DATA = { name: 'Ann' };
  const ann = { member: () => ({ id: 'ann', data: DATA }), watch: true, graceMs: 0 };

  async function open(options: HubStreamOptions<object> = {}, history = {}) {
    const log = new MemoryEventLog({ ...HISTORY_DEFAULTS, ...history });
    const hub = new Hub(log);
    await hub.start();
    const read = (more: HubStreamOptions<object>) => {
      const seen: SseEvent[] = [];
      const all = { connection: false as const, ...more };
      const subscription = hub.stream('lobby', all).subscribe((event) => seen.push(event));
      return { seen, subscription };
    };
    const joined = new Promise((resolve) => hub.presence$.subscribe(resolve));
    const member = hub.stream('lobby', { presence: ann, connection: fakeConnection() }).subscribe();
    await joined;
    return { hub, read, member, ...read({ presence: { watch: true }, ...options }) };
  }

  it('gets the roster past the filter, the types and the snapshot of the stream', async () => {
    const rooms: string[][] = [];
    const snapshot = async (_reason: string, all: string[]): Promise<SseMessage[]> => {
      rooms.push(all);
      return [];
    };
    const { hub, seen, member } = await open({ filter: () => false, types: ['none'], snapshot });
    const left = new Promise((resolve) => hub.presence$.subscribe(resolve));
    await until('the roster has come', () => seen.length === 2);
    member.unsubscribe();
    await left;
    await until('the member has left', () => seen.length === 3);
    expect(seen.map(({ type }) => type)).toEqual(['sse-state', 'sse-set', 'sse-delete']);
    expect(seen[1]!.data).toEqual({
      room: 'sse:presence:lobby',
      key: 'ann',
      value: { data: DATA, since: expect.any(Number), on: [expect.any(String)] },
    });
    expect(rooms).toEqual([['lobby']]);
    expect(hub.rooms()).toEqual(['lobby']);
    await hub.close();
  });

  it('never gets a gap of the roster', async () => {
    const { hub, read } = await open({}, { maxEvents: 4 });
    const cursor = await hub.position();
    for (let n = 0; n < 9; n++) await hub.to('lobby').emit('note', n);
    const back = read({ presence: { watch: true }, lastEventId: cursor });
    await until('the gap is told', () => back.seen.length > 0);
    expect(back.seen[0]).toMatchObject({ type: 'sse-gap', data: { rooms: ['lobby'] } });
    const stranger = read({ presence: { watch: true }, lastEventId: '1.AAAAAAAA.zzz' });
    await until('the roster has come', () => stranger.seen.length === 4);
    expect(stranger.seen).toMatchObject([
      { type: 'sse-gap', data: { rooms: ['lobby'] } },
      { type: 'sse-state', data: { rooms: ['lobby'], entries: 0 } },
      { type: 'sse-state', data: { rooms: ['sse:presence:lobby'], entries: 1 } },
      { type: 'sse-set' },
    ]);
    await hub.close();
  });
});
