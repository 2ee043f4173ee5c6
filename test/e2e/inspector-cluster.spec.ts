import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { Controller, Param, Query } from '@nestjs/common';
import { Broadcaster, Connection, SseStream, type SseConnection } from 'nestjs-eventstream';
import { SseInspectorModule, type InspectorState } from 'nestjs-eventstream/inspector';
import { redisEventLog } from 'nestjs-eventstream/redis';
import type { PeerChannel } from '../../lib/hub/peer-channel.js';
import { Registry } from '../../lib/connection/registry.js';
import { Inspector } from '../../lib/inspector/inspector.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { serve, type TestApp } from '../support/serve.js';
import { responded, type TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

const guard = { canActivate: () => true };
const FROM_PAGE = { 'x-sse-inspector': '1' };

@Controller('rooms')
class Rooms {
  constructor(readonly broadcaster: Broadcaster) {}
  @SseStream(':rooms') rooms(
    @Param('rooms') rooms: string,
    @Query('user') user: string,
    @Connection() { data }: SseConnection,
  ) {
    data['user'] = user;
    return this.broadcaster.stream(rooms.split(','));
  }
}

describeRedis('the inspector over several processes', () => {
  let redis: RedisServer;
  let prefix = 0;
  beforeAll(async () => {
    redis = await startRedis();
  }, 20_000);
  beforeEach(() => {
    prefix++;
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });
  afterAll(() => redis?.stop());

  const start = (withInspector = true): Promise<TestApp> =>
    serve(Rooms, {
      sse: { log: redisEventLog({ url: redis.url, prefix: `sse${prefix}` }) },
      module: { imports: withInspector ? [SseInspectorModule.forRoot({ guard })] : [] },
    });
  const look = (app: TestApp, query = '') => app.open(`/sse-inspector/events${query}`);
  const open = (app: TestApp, rooms: string, user: string) =>
    responded(app.open(`/rooms/${rooms}?user=${user}`));
  const post = async (app: TestApp, path: string) =>
    (await fetch(`${app.url}/sse-inspector/${path}`, { method: 'POST', headers: FROM_PAGE }))
      .status;
  async function stateWhere(
    stream: TestStream,
    is: (state: InspectorState) => boolean,
  ): Promise<InspectorState> {
    for (;;) {
      const state = (await stream.next('state')).data as InspectorState;
      if (is(state)) return state;
    }
  }
  const usersOf = ({ connections }: InspectorState) =>
    connections.list
      .filter(({ isInspector }) => !isInspector)
      .map(({ facts }) => String(facts['user']))
      .sort();
  const idOf = (app: TestApp) =>
    app.nest.get<Inspector, { local: { id: string } }>(Inspector).local.id;

  it('shows connections, rooms and traffic of all, or of one of them', async () => {
    const apps = await Promise.all([start(), start(), start()]);
    // It has no inspector, so it is not asked.
    await open(await start(false), 'a', 'nobody');
    const readers = await Promise.all([
      open(apps[0], 'a', 'ann'),
      open(apps[1], 'a,b', 'ben'),
      open(apps[2], 'b', 'carl'),
    ]);
    const page = look(apps[0]);
    const first = (await page.next('state')).data as InspectorState;
    expect(first.isShared).toBe(true);
    await stateWhere(page, ({ processes }) => processes.length === 3);
    for (let no = 0; no < 5; no++) await apps[1].nest.get(Rooms).broadcaster.to('b').emit('x', no);
    await Promise.all([readers[1].take(5), readers[2].take(5)]);

    const state = await stateWhere(page, ({ traffic }) => (traffic?.total.delivered ?? 0) === 10);
    expect(usersOf(state)).toEqual(['ann', 'ben', 'carl']);
    expect(state.connections).toMatchObject({ open: 3, inspectors: 1, found: 4 });
    const rooms = state.rooms.list.map(({ name, connections }) => [name, connections] as const);
    expect(Object.fromEntries(rooms)).toEqual({ a: 2, b: 2 });
    expect(state.traffic?.total.published).toBe(5);
    expect(state.processes.map(({ id }) => id).sort()).toEqual(apps.map(idOf).sort());
    expect(state.processes[0]).toMatchObject({ id: idOf(apps[0]), open: 1, isGone: false });
    const ben = state.connections.list.find(({ facts }) => facts['user'] === 'ben');
    expect(ben?.process).toBe(idOf(apps[1]));

    const one = look(apps[0], `?process=${idOf(apps[2])}`);
    const ofCarl = await stateWhere(one, (found) => usersOf(found).length > 0);
    expect(usersOf(ofCarl)).toEqual(['carl']);
    expect(ofCarl.connections.open).toBe(1);
    expect(ofCarl.processes).toHaveLength(3);
    const searched = await stateWhere(look(apps[2], '?search=ben'), ({ connections }) => connections.found > 0); // prettier-ignore
    expect(usersOf(searched)).toEqual(['ben']);
    const asked = await fetch(`${apps[1].url}/sse-inspector/state`);
    expect(usersOf((await asked.json()) as InspectorState)).toEqual(['ann', 'ben', 'carl']);
  });

  it('closes and revokes in the process that has the stream', async () => {
    const [first, second] = await Promise.all([start(), start()]);
    const [ann, ben, carl, dave] = await Promise.all([
      open(second, 'a', 'ann'),
      open(second, 'b', 'ben'),
      open(first, 'b', 'carl'),
      open(second, 'c', 'dave'),
    ]);
    const { id } = second.nest.get(Registry).find(({ data }) => data['user'] === 'ann')!;
    const process = idOf(second);
    expect(await post(first, `connections/${id}/close`)).toBe(404);
    expect(await post(first, `connections/${id}/close?process=${process}`)).toBe(204);
    await ann.ended;
    expect(await post(first, `connections/${id}/close?process=${process}`)).toBe(404);
    expect(await post(first, 'rooms/close?room=b&process=*')).toBe(204);
    await Promise.all([ben.ended, carl.ended]);
    expect(await post(first, 'rooms/close?room=b&process=*')).toBe(404);
    expect(await post(first, `revoke?fact=user&value=%22dave%22`)).toBe(204);
    expect(await dave.ended).toContain('"reason":"auth"');
    expect(await post(first, 'connections/x/close?process=gone')).toBe(504);
  });

  it('says that a process is gone, and no longer shows its streams', async () => {
    const [first, second] = await Promise.all([start(), start()]);
    await open(first, 'a', 'ann');
    await open(second, 'a', 'ben');
    const page = look(first);
    await stateWhere(page, (state) => usersOf(state).length === 2);
    await second.close();
    const state = await stateWhere(page, ({ processes }) => processes.some(({ isGone }) => isGone));
    expect(usersOf(state)).toEqual(['ann']);
    expect(state.connections.open).toBe(1);
    expect(state.processes).toMatchObject([{ isGone: false }, { id: idOf(second), isGone: true }]);
  });

  it('asks while a page is open only, and leaves nothing in Redis', async () => {
    const [first] = await Promise.all([start(), start()]);
    const { peers } = first.nest.get(Rooms).broadcaster as unknown as { peers: PeerChannel };
    const send = jest.spyOn(peers, 'send');
    const before = await redis.command('DBSIZE');
    await fetch(`${first.url}/sse-inspector`);
    expect(send).not.toHaveBeenCalled();
    const page = look(first);
    await stateWhere(page, ({ processes }) => processes.length === 2);
    const asked = send.mock.calls.length;
    expect(asked).toBeGreaterThan(0);
    await until('it asks again', () => send.mock.calls.length > asked);
    expect(await redis.command('DBSIZE')).toBe(before);
    page.close();
    const { views } = first.nest.get<Inspector, { views: Map<string, unknown> }>(Inspector);
    await until('nobody looks', () => views.size === 0);
  });
});
