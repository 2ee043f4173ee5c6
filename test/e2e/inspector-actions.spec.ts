import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Injectable,
  Param,
  Query,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import {
  Broadcaster,
  Connection,
  InjectBroadcaster,
  SseModule,
  SseStream,
  type SseConnection,
} from 'nestjs-eventstream';
import {
  SseInspectorModule,
  type InspectedRoomEvents,
  type InspectorState,
  type SseInspectorOptions,
} from 'nestjs-eventstream/inspector';
import { Registry } from '../../lib/connection/registry.js';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import { responded } from '../support/stream-client.js';
import { until } from '../support/until.js';

@Injectable()
class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, unknown> }>();
    return headers['authorization'] === 'Bearer secret';
  }
}

@Controller('rooms')
class Rooms {
  constructor(
    readonly broadcaster: Broadcaster,
    @InjectBroadcaster('chat') readonly chat: Broadcaster,
    @InjectBroadcaster('live') readonly live: Broadcaster,
  ) {}
  @SseStream('chat/:room') chatRoom(@Param('room') room: string) {
    return this.chat.stream(room);
  }
  @SseStream(':rooms') rooms(
    @Param('rooms') rooms: string,
    @Query('user') user: string | undefined,
    @Connection() connection: SseConnection,
  ) {
    Object.assign(connection.data, { user, token: 'secret' });
    return this.broadcaster.stream(rooms.split(','));
  }
}

const ADMIN = { authorization: 'Bearer secret' };
const FROM_PAGE = { ...ADMIN, 'x-sse-inspector': '1', 'content-type': 'application/json' };

function serveInspector(
  adapter: Adapter,
  options: Partial<SseInspectorOptions> = {},
): Promise<TestApp> {
  const features = [{ name: 'chat' }, { name: 'live', history: false as const }];
  const inspector = SseInspectorModule.forRoot({ guard: TokenGuard, ...options });
  return serve(Rooms, {
    adapter,
    module: { imports: [SseModule.forFeature(features), inspector] },
  });
}

const url = (app: TestApp, path: string) => `${app.url}/sse-inspector${path}`;

async function get<T>(app: TestApp, path: string): Promise<T> {
  const response = await fetch(url(app, path), { headers: ADMIN });
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

async function post(app: TestApp, path: string, body?: unknown) {
  const text = JSON.stringify(body);
  const headers = text === undefined ? { ...ADMIN, 'x-sse-inspector': '1' } : FROM_PAGE;
  const response = await fetch(url(app, path), { method: 'POST', headers, body: text ?? null });
  const answer = await response.text();
  return { status: response.status, ...(answer === '' ? {} : (JSON.parse(answer) as object)) };
}

describe('the options of the inspector', () => {
  it.each([
    [{ facts: true }, 'facts: expected a function'],
    [{ testEvents: 'no' }, 'testEvents: expected true or false'],
    [{ signIn: true }, "signIn: expected 'bearer'"],
  ])('are checked: %j', (options, message) => {
    const given = { guard: TokenGuard, ...options } as unknown as SseInspectorOptions;
    expect(() => SseInspectorModule.forRoot(given)).toThrow(message);
  });
});

describe.each(ADAPTERS)('what an operator finds and does with the inspector on %s', (adapter) => {
  it('finds connections and rooms by any text, and those that are slow', async () => {
    const app = await serveInspector(adapter);
    const streams = ['/rooms/orders?user=ann', '/rooms/kitchen,orders?user=ben', '/rooms/lobby'];
    await Promise.all(streams.map((path) => responded(app.open(path))));
    const slow = app.open('/rooms/large?user=carl');
    await responded(slow);
    slow.pause();
    const { broadcaster } = app.nest.get(Rooms);
    const carl = app.nest.get(Registry).find(({ data }) => data['user'] === 'carl')!;
    await until('its client takes nothing', async () => {
      await broadcaster.to('large').emit('large', 'x'.repeat(100_000));
      return carl.isBlocked;
    });
    const find = async (query: string) => {
      const { connections, rooms } = await get<InspectorState>(app, `/state?${query}`);
      expect(connections.open).toBe(4);
      expect(connections.found).toBe(connections.list.length);
      return [
        connections.list.map(({ facts }) => String(facts['user'] ?? '')).sort(),
        rooms.list.map(({ name }) => name).sort(),
      ];
    };
    expect(await find('search=')).toEqual([
      ['', 'ann', 'ben', 'carl'],
      ['kitchen', 'large', 'lobby', 'orders'],
    ]);
    expect(await find('search=ANN')).toEqual([['ann'], []]);
    expect(await find('search=orders')).toEqual([['ann', 'ben'], ['orders']]);
    // A comma of the path, as people see it.
    expect(await find('search=kitchen,')).toEqual([['ben'], []]);
    expect(await find(`search=${carl.id}`)).toEqual([['carl'], []]);
    expect(await find('search=secret')).toEqual([[], []]);
    expect(await find('slow=1')).toEqual([['carl'], ['kitchen', 'large', 'lobby', 'orders']]);
    expect(await find('slow=1&search=ann')).toEqual([[], []]);

    const look = app.open('/sse-inspector/events?search=ann&plots=1', { headers: ADMIN });
    expect(Object.keys((await look.next('samples')).data as object)).toContain('delivered');
    const { connections } = (await look.next('state')).data as InspectorState;
    expect(connections.list.map(({ facts }) => facts['user'])).toEqual(['ann']);
  });

  it('sees facts as the app says, and none of the rest of data', async () => {
    const byDefault = await serveInspector(adapter);
    await responded(byDefault.open('/rooms/a?user=ann'));
    const state = await get<InspectorState>(byDefault, '/state');
    expect(state.connections.list[0]).toMatchObject({ facts: { user: 'ann' }, revokeBy: 'user' });
    expect(JSON.stringify(state)).not.toContain('secret');

    const facts = ({ data }: SseConnection) => ({
      name: `${String(data['user'])} A.`,
      known: true,
    });
    const own = await serveInspector(adapter, { facts });
    await responded(own.open('/rooms/a?user=ann'));
    expect((await get<InspectorState>(own, '/state')).connections.list[0]).toMatchObject({
      facts: { name: 'ann A.', known: true },
      revokeBy: null,
    });

    const none = await serveInspector(adapter, { facts: false });
    await responded(none.open('/rooms/a?user=ann'));
    const { connections } = await get<InspectorState>(none, '/state');
    expect(connections.list[0]).toMatchObject({ facts: {}, revokeBy: null });
  });

  it('revokes a user by a text or a number, and nobody by anything else', async () => {
    const app = await serveInspector(adapter);
    const [ann, ben] = await Promise.all(
      ['/rooms/a?user=ann', '/rooms/a?user=ben'].map((path) => responded(app.open(path))),
    );
    for (const query of [
      '',
      '?fact=user',
      '?value="ann"',
      '?fact=user&value=ann',
      '?fact=user&value={}',
      '?fact=user&value=true',
    ]) {
      // prettier-ignore
      expect([query, (await post(app, `/revoke${query}`)).status]).toEqual([query, 400]);
    }
    expect((await post(app, '/revoke?fact=user&value=%22ann%22')).status).toBe(204);
    expect(await ann!.ended).toContain('event: sse-end\ndata: {"reason":"auth"}');
    expect(app.nest.get(Registry).count).toBe(1);
    ben!.close();
  });

  it('reads the last 20 events of a room without being a reader of it', async () => {
    const app = await serveInspector(adapter);
    const { broadcaster, chat, live } = app.nest.get(Rooms);
    const events = (query: string) => get<InspectedRoomEvents>(app, `/rooms/events?${query}`);
    expect(await events('room=a')).toMatchObject({ isKept: true, events: [] });
    const before = Date.now();
    for (let no = 1; no <= 25; no++) await broadcaster.to('a').emit('created', { no });
    await broadcaster.publish('a', { data: 'y'.repeat(3_000) });
    await chat.to('a').emit('said', 'hello');

    const { events: last } = await events('room=a');
    expect(last).toHaveLength(20);
    expect(last[0]).toMatchObject({ type: 'created', data: '{"no":7}' });
    expect(last.at(-1)).toMatchObject({ type: null, data: `${'y'.repeat(2_000)}…` });
    expect(last.at(-1)!.bytes).toBeGreaterThan(3_000);
    expect(last[0]!.at).toBeGreaterThanOrEqual(before);
    expect(last[0]!.at).toBeLessThanOrEqual(Date.now());
    expect((await events('room=a&hub=chat')).events).toMatchObject([{ data: 'hello' }]);

    const after = last.at(-1)!.id;
    expect((await events(`room=a&after=${after}`)).events).toEqual([]);
    await broadcaster.to('a').emit('created', { no: 26 });
    expect((await events(`room=a&after=${after}`)).events).toMatchObject([{ data: '{"no":26}' }]);
    for (let no = 1; no <= 30; no++) await broadcaster.to('a').emit('late', { no });
    const newest = (await events(`room=a&after=${after}`)).events;
    expect(newest.map(({ data }) => data).at(0)).toBe('{"no":11}');

    await live.to('a').emit('moved', 1);
    expect(await events('room=a&hub=live')).toMatchObject({
      isKept: false,
      events: [],
      cursor: null,
    });
    expect([broadcaster.size(), chat.size(), broadcaster.rooms()]).toEqual([0, 0, []]);
    const missing = await fetch(url(app, '/rooms/events?room=a&hub=none'), { headers: ADMIN });
    expect(missing.status).toBe(404);
    const unnamed = await fetch(url(app, '/rooms/events'), { headers: ADMIN });
    expect(unnamed.status).toBe(400);
  });

  it('sends a test event to all readers of a room, from its own page only', async () => {
    const app = await serveInspector(adapter);
    const [reader, chatter] = await Promise.all(
      ['/rooms/a', '/rooms/chat/a'].map((path) => responded(app.open(path))),
    );
    const sent = await post(app, '/rooms/emit?room=a', { type: 'test', data: { no: 1 } });
    expect(sent).toMatchObject({ status: 200, id: expect.stringMatching(/^1\./) as unknown });
    expect(await reader!.next()).toMatchObject({ type: 'test', data: { no: 1 } });
    expect(await post(app, '/rooms/emit?room=a&hub=chat', { data: 'hello' })).toMatchObject({
      status: 200,
    });
    expect(await chatter!.next()).toMatchObject({ type: 'message', data: 'hello' });

    for (const [body, path] of [
      [{ type: 'x' }, 'room=a'],
      [{ type: 7, data: 1 }, 'room=a'],
      [{ type: 'a\nb', data: 1 }, 'room=a'],
      [{ data: 1 }, 'room='],
      [{ data: 1 }, 'room=sse:control'],
      [{ data: 1 }, 'room=sse:inspect'],
    ] as const) {
      expect([body, path, (await post(app, `/rooms/emit?${path}`, body)).status]).toEqual([body, path, 400]); // prettier-ignore
    }
    expect((await post(app, '/rooms/emit?room=a&hub=none', { data: 1 })).status).toBe(404);
    const forged = await fetch(url(app, '/rooms/emit?room=a'), {
      method: 'POST',
      headers: { ...ADMIN, 'content-type': 'application/json' },
      body: '{"data":1}',
    });
    expect(forged.status).toBe(403);
    reader!.close();
    chatter!.close();
  });

  it('sends no test event where the app does not want it', async () => {
    const app = await serveInspector(adapter, { testEvents: false });
    expect((await post(app, '/rooms/emit?room=a', { data: 1 })).status).toBe(404);
    const page = await (await fetch(url(app, ''), { headers: ADMIN })).text();
    expect(page).toContain('<html lang="en">');
  });

  it('signs in by a token: the page is for all, what it shows is not', async () => {
    const app = await serveInspector(adapter, {
      signIn: 'bearer',
      allowedHosts: ['admin.example'],
    });
    const page = await fetch(url(app, ''));
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).toContain('<html lang="en" data-sign-in data-test-events>');
    for (const path of ['/state', '/events', '/rooms/events?room=a', '/rooms/entries?room=a']) {
      expect([path, (await fetch(url(app, path))).status]).toEqual([path, 403]);
    }
    expect((await fetch(url(app, '/state'), { headers: ADMIN })).status).toBe(200);
    const closed = await serveInspector(adapter);
    expect((await fetch(url(closed, ''))).status).toBe(403);
  });
});
