import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Broadcaster, SseModule, type SseModuleOptions } from 'nestjs-eventstream';
import {
  SseInspectorModule,
  type InspectedRoomEntries,
  type InspectedRoomEvents,
} from 'nestjs-eventstream/inspector';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { hubOf } from '../../lib/hub/hub.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';

const guard = { canActivate: () => true };

@Controller()
class Rooms {
  constructor(readonly broadcaster: Broadcaster) {}
}

function start(sse: SseModuleOptions = {}, adapter: Adapter = 'express'): Promise<TestApp> {
  const features = SseModule.forFeature([{ name: 'live', history: false }]);
  const inspector = SseInspectorModule.forRoot({ guard });
  return serve(Rooms, { adapter, sse, module: { imports: [features, inspector] } });
}

async function get<T>(app: TestApp, path: string): Promise<T> {
  const response = await fetch(`${app.url}/sse-inspector/rooms/${path}`);
  expect([path, response.status]).toEqual([path, 200]);
  return (await response.json()) as T;
}
const entriesOf = (app: TestApp, query: string) =>
  get<InspectedRoomEntries>(app, `entries?${query}`);
const eventsOf = (app: TestApp, query: string) => get<InspectedRoomEvents>(app, `events?${query}`);

/** Looks again and again, as the page does; each look says whether entries may have changed. */
function looks(app: TestApp, room: string): () => Promise<boolean> {
  let after = '';
  return async () => {
    const { cursor, entriesChanged } = await eventsOf(app, `room=${room}${after}`);
    after = `&after=${cursor}`;
    return entriesChanged;
  };
}

const stateOf = (app: TestApp, room: string) => app.nest.get(Rooms).broadcaster.state(room);

/** @param nextLog the option `log` of another hub */
function itShowsEntries(nextLog: () => SseModuleOptions): void {
  it('lists the entries of a room, the most recently changed first', async () => {
    const app = await start(nextLog());
    const state = stateOf(app, 'prices');
    const before = Date.now();
    await state.set('a', { bid: 1 });
    await state.set('b', 'text');
    await state.set('c', null);
    await state.set('gone', 1);
    await state.delete('gone');
    const position = await state.set('a', { bid: 'é'.repeat(2_000) });

    const { at, count, list } = await entriesOf(app, 'room=prices');
    expect([count, list.map(({ key }) => key)]).toEqual([3, ['a', 'c', 'b']]);
    expect(list[0]).toMatchObject({ position, bytes: 4_010 });
    expect(list[0]!.value).toBe(`{"bid":"${'é'.repeat(1_992)}…`);
    // A text is told from a number, and from nothing.
    expect(list.slice(1).map(({ value }) => value)).toEqual(['null', '"text"']);
    expect(list[0]!.at).toBeGreaterThanOrEqual(before);
    expect(at).toBeGreaterThanOrEqual(list[0]!.at);
    expect(await entriesOf(app, 'room=other')).toMatchObject({ count: 0, list: [] });
  });

  it('lists the 50 that changed last, and says how many there are', async () => {
    const app = await start(nextLog());
    const state = stateOf(app, 'many');
    for (let no = 0; no < 60; no++) await state.set(`key ${no}`, no);
    await state.set('key 3', 'again');
    const { count, list } = await entriesOf(app, 'room=many');
    expect([count, list.length]).toEqual([60, 50]);
    expect(list.slice(0, 2).map(({ key }) => key)).toEqual(['key 3', 'key 59']);
    expect(list.at(-1)?.key).toBe('key 11');
  });

  it('says of each look at the events whether entries may have changed', async () => {
    const app = await start(nextLog());
    const { broadcaster } = app.nest.get(Rooms);
    const state = stateOf(app, 'prices');
    expect(await looks(app, 'prices')()).toBe(false);
    await state.set('a', 1);

    const look = looks(app, 'prices');
    expect([await look(), await look()]).toEqual([true, false]);
    await broadcaster.to('prices').emit('said', 1);
    expect([await look(), await look()]).toEqual([false, false]);
    await state.set('a', 2);
    expect([await look(), await look()]).toEqual([true, false]);
    await state.delete('a');
    expect([await look(), await look()]).toEqual([true, false]);
    // The change is not among those that are shown.
    await state.set('a', 3);
    for (let no = 0; no < 25; no++) await broadcaster.to('prices').emit('said', no);
    expect([await look(), await look()]).toEqual([true, false]);
  });

  it('says so of a room that keeps no event, too', async () => {
    const app = await start({ ...nextLog(), history: { maxEvents: 1, maxAgeMs: 1 } });
    const state = stateOf(app, 'prices');
    await state.set('a', 1);
    await until('nothing is kept', async () => {
      const { events } = await eventsOf(app, 'room=prices');
      return events.length === 0;
    });
    const look = looks(app, 'prices');
    expect(await look()).toBe(true);
    await until('nothing has changed', async () => !(await look()));
    await state.set('a', 2);
    await until('nothing is kept', async () => {
      const { events } = await eventsOf(app, 'room=prices');
      return events.length === 0;
    });
    expect(await look()).toBe(true);
    await until('nothing has changed', async () => !(await look()));
  });
}

describe.each(ADAPTERS)('the entries of a room in the inspector on %s', (adapter) => {
  it('are not asked for as long as no room has any', async () => {
    const app = await start({}, adapter);
    const { broadcaster } = app.nest.get(Rooms);
    const read = jest.spyOn(hubOf(broadcaster).log, 'entries');
    await broadcaster.to('a').emit('said', 1);
    expect(await eventsOf(app, 'room=a')).toMatchObject({ entriesChanged: false });
    expect(await entriesOf(app, 'room=a')).toMatchObject({ count: 0, list: [] });
    expect(read).not.toHaveBeenCalled();
    await stateOf(app, 'prices').set('a', 1);
    expect(await entriesOf(app, 'room=prices')).toMatchObject({ count: 1 });
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('need a room and a hub that exist', async () => {
    const app = await start({}, adapter);
    const status = async (query: string) =>
      (await fetch(`${app.url}/sse-inspector/rooms/entries${query}`)).status;
    expect(await status('')).toBe(400);
    expect(await status('?room=sse:control')).toBe(400);
    expect(await status('?room=a&hub=none')).toBe(404);
    // Without history, a hub has no state rooms.
    expect(await entriesOf(app, 'room=a&hub=live')).toMatchObject({ count: 0 });
  });
});

describe('the entries of a room in memory, in the inspector', () => {
  itShowsEntries(() => ({}));
});

describeRedis('the entries of a room on Redis, in the inspector', () => {
  let redis: RedisServer;
  let prefix = 0;
  beforeAll(async () => {
    redis = await startRedis();
  }, 20_000);
  afterAll(() => redis?.stop());

  const log = (): SseModuleOptions => ({
    log: redisEventLog({ url: redis.url, prefix: `sse${prefix}` }),
  });
  itShowsEntries(() => {
    prefix++;
    return log();
  });

  it('are those of all processes', async () => {
    prefix++;
    const [first, second] = await Promise.all([start(log()), start(log())]);
    await stateOf(second, 'prices').set('a', 1);
    await until('it knows that there are entries', async () => {
      const { entriesChanged } = await eventsOf(first, 'room=prices');
      return entriesChanged;
    });
    expect((await entriesOf(first, 'room=prices')).list).toMatchObject([{ key: 'a', value: '1' }]);
  });

  it('are answered for with 503 while Redis is away', async () => {
    prefix++;
    const app = await start(log());
    await stateOf(app, 'prices').set('a', 1);
    await redis.kill();
    const answer = await fetch(`${app.url}/sse-inspector/rooms/entries?room=prices`);
    expect(answer.status).toBe(503);
    await redis.restart();
  }, 20_000);
});
