import { channel } from 'node:diagnostics_channel';
import { request as requestOf } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Injectable,
  Module,
  Param,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import {
  Broadcaster,
  InjectBroadcaster,
  SSE_CHANNELS,
  SseModule,
  SseStream,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import {
  SseInspectorModule,
  type InspectorState,
  type SseInspectorOptions,
} from 'nestjs-eventstream/inspector';
import { firstOf } from '../../lib/inspector/first-of.js';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import { responded, type TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';
import { Registry } from '../../lib/connection/registry.js';

@Injectable()
class Keys {
  readonly admin = 'admin';
}
@Module({ providers: [Keys], exports: [Keys] })
class KeysModule {}

@Injectable()
class AdminGuard implements CanActivate {
  constructor(private readonly keys: Keys) {}
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: { cookie?: string } }>();
    return headers.cookie === `user=${this.keys.admin}`;
  }
}

const MANY = Array.from({ length: 230 }, (_, index) => `room ${index}`);

@Controller('rooms')
class Rooms {
  constructor(
    readonly broadcaster: Broadcaster,
    @InjectBroadcaster('chat') readonly chat: Broadcaster,
  ) {}
  @SseStream('chat/:room') chatRoom(@Param('room') room: string) {
    return this.chat.stream(room);
  }
  @SseStream(':room', { onError: () => {} }) room(@Param('room') room: string) {
    return this.broadcaster.stream(room === 'many' ? MANY : room.split(','));
  }
}

const ADMIN = { cookie: 'user=admin' };
const FROM_PAGE = { ...ADMIN, 'x-sse-inspector': '1' };
const isListenedTo = () =>
  Object.values(SSE_CHANNELS).filter((name) => channel(name).hasSubscribers);

function serveInspector(
  adapter: Adapter,
  options: Partial<SseInspectorOptions> = {},
  sse: SseModuleOptions = {},
): Promise<TestApp> {
  const inspector = { guard: AdminGuard, imports: [KeysModule], ...options };
  const imports = [SseModule.forFeature([{ name: 'chat' }]), SseInspectorModule.forRoot(inspector)];
  return serve(Rooms, { adapter, sse, module: { imports } });
}

/** The status of an answer; `fetch` does not let a test choose the host. */
function send(
  app: TestApp,
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const url = `${app.url}/sse-inspector${path}`;
    const sent = requestOf(url, { method, headers }, (response) => {
      resolve(response.statusCode);
      response.destroy();
    });
    sent.on('error', reject).end();
  });
}

/** The newest state of the inspector's stream for which `is` answers true. */
async function stateWhere(
  look: TestStream,
  is: (state: InspectorState) => boolean,
): Promise<InspectorState> {
  for (;;) {
    const state = (await look.next()).data as InspectorState;
    if (is(state)) return state;
  }
}

describe('the inspector', () => {
  it('does not start without a guard, and says what it needs', () => {
    const noGuard = {} as SseInspectorOptions;
    expect(() => SseInspectorModule.forRoot(noGuard)).toThrow(
      'SseInspectorModule.forRoot().guard: expected a guard, such as `guard: AdminGuard`, ' +
        'because whoever it admits can see and close every connection, got undefined',
    );
    for (const guard of [false, null, Keys, {}, 'AdminGuard'] as unknown[]) {
      expect(() => SseInspectorModule.forRoot({ guard } as SseInspectorOptions)).toThrow(
        expect.objectContaining({ code: 'SSE_OPTIONS' }),
      );
    }
    const misspelt = { guard: AdminGuard, paht: 'x' } as SseInspectorOptions;
    expect(() => SseInspectorModule.forRoot(misspelt)).toThrow('guard, path, imports');
    for (const allowedHosts of ['a', ['http://a'], ['a:3000'], [''], [7]] as string[][]) {
      expect(() => SseInspectorModule.forRoot({ guard: AdminGuard, allowedHosts })).toThrow(
        'allowedHosts: expected an array of host names without a port',
      );
    }
  });

  it('looks at each of many items about once', () => {
    let comparisons = 0;
    const items = Array.from({ length: 200_000 }, (_, index) => (index * 7_919) % 200_003);
    firstOf(items, 200, (one, other) => (comparisons++, other - one));
    expect(comparisons).toBeLessThan(300_000);
  });

  it('picks the first of many as sorting all of them would', () => {
    const numbers = Array.from({ length: 1_000 }, (_, index) => (index * 7_919) % 1_009);
    const compare = (one: number, other: number) => other - one;
    for (const count of [1, 7, 999, 1_000, 2_000]) {
      expect(firstOf(numbers, count, compare)).toEqual([...numbers].sort(compare).slice(0, count));
    }
    // Of those that are alike, who comes first.
    const alike = numbers.map((number, index) => ({ number: number % 5, index }));
    const byNumber = (one: { number: number }, other: { number: number }) =>
      other.number - one.number;
    expect(firstOf(alike, 10, byNumber)).toEqual([...alike].sort(byNumber).slice(0, 10));
  });
});

describe.each(ADAPTERS)('the inspector on %s', (adapter) => {
  it('answers only whom the guard lets in, on every route', async () => {
    const app = await serveInspector(adapter);
    const routes = [
      ['GET', ''],
      ['GET', '/state'],
      ['GET', '/events'],
      ['POST', '/connections/x/close'],
      ['GET', '/rooms/events?room=x'],
      ['GET', '/rooms/entries?room=x'],
      ['POST', '/rooms/close?room=x'],
      ['POST', '/rooms/emit?room=x'],
      ['POST', '/revoke?fact=user&value=7'],
    ];
    for (const [method, path] of routes) {
      const url = `${app.url}/sse-inspector${path}`;
      const refused = await fetch(url, { method, headers: { 'x-sse-inspector': '1' } });
      expect([method, path, refused.status]).toEqual([method, path, 403]);
    }
    expect((await fetch(`${app.url}/sse-inspector/state`, { headers: ADMIN })).status).toBe(200);
  });

  it('serves a page that loads nothing and runs nothing but what is in it', async () => {
    const app = await serveInspector(adapter, { path: 'tools/streams' });
    const response = await fetch(`${app.url}/tools/streams`, { headers: ADMIN });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy.split('; ')).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        expect.stringMatching(/^script-src 'sha256-[\w+/]+=*'$/),
        expect.stringMatching(/^style-src 'sha256-[\w+/]+=*'$/),
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
      ]),
    );
    expect(policy).not.toMatch(/unsafe|\*|http/);
    const page = await response.text();
    expect(page).toContain('<style>');
    expect(page).toContain('/events?');
    expect(page).not.toMatch(/^(import|export) /m);
    expect(page).not.toMatch(/\ssrc=|<link rel="stylesheet"|\sstyle=|\son\w+=|innerHTML/);
  });

  it('tells what goes on: connections, rooms, hubs, totals and what is notable', async () => {
    const app = await serveInspector(adapter);
    const look = app.open('/sse-inspector/events', { headers: ADMIN });
    await look.next();
    const { broadcaster, chat } = app.nest.get(Rooms);
    const headers = { 'user-agent': 'script/1' };
    const both = app.open('/rooms/a,b?token=secret', { headers });
    const chatter = app.open('/rooms/chat/a');
    const lost = app.open('/rooms/b', { headers: { 'last-event-id': '1.AAAAAAAA.1' } });
    await Promise.all([responded(both), responded(chatter), lost.next()]);
    await broadcaster.to('a', 'b').emit('one', 1);
    await broadcaster.to('a').emit('two', 2);
    await chat.to('a').emit('three', 3);
    await broadcaster.to('nobody').emit('four', 4);
    await Promise.all([both.take(2), chatter.next(), lost.next()]);
    await expect(broadcaster.publish('a', { data: 1n })).rejects.toThrow('BigInt');
    lost.close();

    const {
      connections,
      rooms,
      hubs,
      traffic,
      notes,
      process: own,
      processes,
      isShared,
    } = await stateWhere(look, (state) => state.traffic?.closes['client'] === 1);
    expect(own.pid).toBe(process.pid);
    // With the log in memory there are no others.
    expect(processes).toMatchObject([{ id: own.id, pid: own.pid, open: 2, isGone: false }]);
    expect(isShared).toBe(false);
    expect(connections).toMatchObject({ open: 2, inspectors: 1, blocked: 0, leftOut: 0 });
    const byPath = new Map(connections.list.map((one) => [one.path, one]));
    const open = app.nest.get(Registry);
    const { id, sentBytes } = open.list().find(({ request }) => request.headers['user-agent'])!;
    expect(byPath.get('/rooms/a,b')).toMatchObject({
      id,
      sentBytes,
      userAgent: 'script/1',
      rooms: ['a', 'b'],
      roomCount: 2,
      sentEvents: 2,
      bufferedBytes: 0,
      droppedEvents: 0,
      isBlocked: false,
      isInspector: false,
    });
    expect(byPath.get('/rooms/a,b')?.address).toContain('127.0.0.1');
    expect(byPath.get('/rooms/chat/a')).toMatchObject({ sentEvents: 1, rooms: ['a'] });
    expect(byPath.get('/sse-inspector/events')).toMatchObject({ isInspector: true });
    expect(JSON.stringify(connections)).not.toContain('secret');

    expect(rooms).toMatchObject({ count: 4, leftOut: 0 });
    const byName = Object.fromEntries(
      rooms.list.map(({ hub, name, connections: readers }) => [`${hub}/${name}`, readers]),
    );
    expect(byName).toEqual({ '/a': 1, '/b': 1, 'chat/a': 1, '/nobody': 0 });
    expect(rooms.list[0]).toMatchObject({ hub: '', name: 'a' });
    expect(rooms.list[0]?.eventsPerSecond).toBeGreaterThan(0);
    expect(hubs).toEqual([
      { name: '', trouble: null },
      { name: 'chat', trouble: null },
    ]);
    expect(traffic?.total).toMatchObject({ published: 4, opened: 3, dropped: 0, replayed: 0 });
    // What tells of a gap is none of them.
    expect(traffic?.total.delivered).toBe(4);
    expect(traffic?.perSecond.published).toBeGreaterThan(0);
    expect(traffic?.closes).toEqual({ client: 1 });
    expect(traffic?.gaps).toEqual({ epoch: 1 });
    expect(notes.list).toMatchObject([
      { kind: 'error', text: expect.stringContaining('BigInt') as unknown, connection: null },
      { kind: 'gap', text: 'epoch: b', times: 1, process: own.id },
    ]);

    const answer = await fetch(`${app.url}/sse-inspector/state`, { headers: ADMIN });
    const asked = (await answer.json()) as InspectorState;
    expect(asked.traffic?.total.published).toBe(4);
    expect(asked.connections.open).toBe(2);
  });

  it('listens to nothing that is published for each event but while somebody looks', async () => {
    const rare = ['refuse', 'stall', 'gap', 'error', 'log'] as const;
    const always = rare.map((name) => SSE_CHANNELS[name]).sort();
    const app = await serveInspector(adapter);
    const state = async () => {
      const answer = await fetch(`${app.url}/sse-inspector/state`, { headers: ADMIN });
      return (await answer.json()) as InspectorState;
    };
    const reader = app.open('/rooms/a');
    await responded(reader);
    expect(await state()).toMatchObject({ connections: { open: 1 }, traffic: null });
    expect(isListenedTo().sort()).toEqual(always);
    const [one, two] = ['/sse-inspector/events', '/sse-inspector/events'].map((path) =>
      app.open(path, { headers: ADMIN }),
    );
    await Promise.all([one?.next(), two?.next()]);
    expect(isListenedTo()).toHaveLength(Object.keys(SSE_CHANNELS).length);
    expect(await state()).toMatchObject({ connections: { open: 1, inspectors: 2 } });
    one?.close();
    await until('the first is gone', async () => (await state()).connections.inspectors === 1);
    expect(isListenedTo()).toHaveLength(Object.keys(SSE_CHANNELS).length);
    expect((await state()).traffic?.closes).toEqual({});
    two?.close();
    await until('nobody looks', () => isListenedTo().length === always.length);
    expect((await state()).traffic).toBe(null);
    await app.close();
    expect(isListenedTo()).toEqual([]);
  });

  it('is there when all places are taken, and takes none', async () => {
    const limits = { maxConnections: 2, maxPerKey: 2 };
    const app = await serveInspector(adapter, {}, { limits });
    const look = () => app.open('/sse-inspector/events', { headers: ADMIN });
    const before = look();
    await before.next();
    const readers = [app.open('/rooms/a'), app.open('/rooms/a')];
    await Promise.all(readers.map((reader) => reader.until(({ text }) => text !== '')));
    expect(await app.open('/rooms/a').ended).toMatch(/^retry: \d+\n\n$/);
    const state = await stateWhere(look(), ({ connections }) => connections.inspectors === 2);
    expect(state.connections.open).toBe(2);
    before.close();
    const connections = app.nest.get(Registry);
    await until('it has left', () => connections.count === 3);
    expect(await app.open('/rooms/a').ended).toMatch(/^retry: \d+\n\n$/);
  });

  it('closes a connection, or all of a room, for its own page only', async () => {
    const app = await serveInspector(adapter);
    const [first, second, chatter] = await Promise.all(
      ['/rooms/a', '/rooms/a,b', '/rooms/chat/a'].map((path) => responded(app.open(path))),
    );
    const connections = app.nest.get(Registry);
    const { id } = connections.find(
      ({ request }) => 'url' in request && request.url === '/rooms/a',
    )!;
    const post = async (path: string, headers: Record<string, string>) => {
      const url = `${app.url}/sse-inspector/${path}`;
      return (await fetch(url, { method: 'POST', headers })).status;
    };

    const paths = [`connections/${id}/close`, 'rooms/close?room=a'];
    for (const path of paths) {
      expect(await post(path, ADMIN)).toBe(403);
      for (const site of ['cross-site', 'same-site', 'none']) {
        expect(await post(path, { ...FROM_PAGE, 'sec-fetch-site': site })).toBe(403);
      }
    }
    expect(connections.count).toBe(3);

    const reason = connections.find((one) => one.id === id)?.closed;
    expect(await post(paths[0]!, { ...FROM_PAGE, 'sec-fetch-site': 'same-origin' })).toBe(204);
    expect(await reason).toBe('inspector');
    await first?.ended;
    expect(await post(paths[0]!, FROM_PAGE)).toBe(404);

    expect(await post('rooms/close?room=a&hub=', FROM_PAGE)).toBe(204);
    await second?.ended;
    expect(connections.count).toBe(1);
    expect(await post('rooms/close?room=a', FROM_PAGE)).toBe(204);
    await chatter?.ended;
    for (const query of ['', '?room=', '?room=a', '?room=a&room=b']) {
      expect(await post(`rooms/close${query}`, FROM_PAGE)).toBe(404);
    }
  });

  it('closes nothing for a page of another host', async () => {
    const app = await serveInspector(adapter);
    await responded(app.open('/rooms/a'));
    const host = new URL(app.url).host;
    const post = (headers: Record<string, string>) =>
      send(app, 'POST', '/rooms/close?room=a', { ...FROM_PAGE, ...headers });
    for (const origin of [
      'http://evil.example',
      'null',
      'http://127.0.0.1',
      'x',
      `http://${host}x`,
    ]) {
      expect([origin, await post({ origin })]).toEqual([origin, 403]);
    }
    // The browser itself says that a proxy has changed the host.
    const behind = { origin: 'https://admin.example', 'sec-fetch-site': 'same-origin' };
    expect(await post(behind)).toBe(204);
    await responded(app.open('/rooms/a'));
    expect(await post({ origin: `http://${host}` })).toBe(204);
  });

  it('answers to known hosts only, where they are named', async () => {
    const allowedHosts = ['admin.example', '.Tools.example'];
    const app = await serveInspector(adapter, { allowedHosts });
    await responded(app.open('/rooms/a'));
    const get = (host: string, path = '') => send(app, 'GET', path, { ...ADMIN, host });
    for (const host of [
      'evil.example',
      'admin.example.evil.example',
      'xtools.example',
      'localhost.evil',
    ]) {
      for (const path of ['', '/state', '/events']) {
        const spoofed = { ...ADMIN, host, 'x-forwarded-host': 'localhost' };
        expect([host, path, await send(app, 'GET', path, spoofed)]).toEqual([host, path, 403]);
      }
      const rebound = { ...FROM_PAGE, host, origin: `http://${host}` };
      expect(await send(app, 'POST', '/rooms/close?room=a', rebound)).toBe(403);
    }
    for (const host of [
      'ADMIN.example:81',
      'tools.example',
      'a.b.tools.example',
      'localhost:3000',
      '[::1]:3000',
      '10.0.0.5',
      'app.localhost',
    ]) {
      expect([host, await get(host, '/state')]).toEqual([host, 200]);
    }
    // A proxy has put its own name for this process into the request.
    const behind = { ...FROM_PAGE, host: '127.0.0.1:3000', origin: 'http://admin.example' };
    expect(await send(app, 'POST', '/rooms/close?room=a', behind)).toBe(204);
    expect(
      await send(app, 'POST', '/rooms/close?room=a', { ...behind, origin: 'http://10.0.0.5' }),
    ).toBe(403);
  });

  it('lists 200 at most, says how many more there are, and who takes nothing comes first', async () => {
    const app = await serveInspector(adapter);
    const readers = MANY.slice(0, 200).map((room) =>
      app.open(`/rooms/${encodeURIComponent(room)}`),
    );
    const all = app.open('/rooms/many');
    await Promise.all([...readers, all].map(responded));
    const slow = app.open('/rooms/large');
    await responded(slow);
    slow.pause();
    const { broadcaster } = app.nest.get(Rooms);
    await broadcaster.to('room 229').emit('only', 1);
    await all.next();
    const blocked = app.nest.get(Registry).list().at(-1)!;
    await until('its client takes nothing', async () => {
      await broadcaster.to('large').emit('large', 'x'.repeat(100_000));
      return blocked.bufferedBytes > 0 && blocked.isBlocked;
    });
    const answer = await fetch(`${app.url}/sse-inspector/state`, { headers: ADMIN });
    const state = (await answer.json()) as InspectorState;
    expect(state.connections).toMatchObject({ open: 202, blocked: 1, leftOut: 2 });
    expect(state.connections.list).toHaveLength(200);
    expect(state.connections.list.slice(0, 2)).toMatchObject([
      { path: '/rooms/large', isBlocked: true },
      { path: '/rooms/many', isBlocked: false, roomCount: 230, rooms: MANY.slice(0, 10) },
    ]);
    expect(state.connections.bufferedBytes).toBeGreaterThan(0);
    expect(state.rooms).toMatchObject({ count: 231, leftOut: 31 });
    expect(state.rooms.list).toHaveLength(200);
    expect(state.rooms.list[0]).toMatchObject({ name: 'room 0', connections: 2 });
  });
});
