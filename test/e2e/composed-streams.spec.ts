import { describe, expect, it } from '@jest/globals';
import { Controller, Res, UseInterceptors, type NestInterceptor } from '@nestjs/common';
import { AsyncLocalStorage } from 'node:async_hooks';
import net from 'node:net';
import { defer, delay, map, merge, NEVER, of, repeat, switchMap, take } from 'rxjs';
import {
  Broadcaster,
  InjectBroadcaster,
  SseConnections,
  SseModule,
  SseStream,
  type SseMessage,
} from 'nestjs-eventstream';
import { until } from '../support/until.js';
import { ADAPTERS, serve, type Adapter } from '../support/serve.js';
import { responded, type TestStream } from '../support/stream-client.js';

const user = new AsyncLocalStorage<string>();

@Controller()
class Streams {
  /** Of `/large-snapshot`. */
  snapshot: SseMessage[] = [];
  constructor(
    readonly hub: Broadcaster,
    @InjectBroadcaster('other') readonly other: Broadcaster,
  ) {}
  @SseStream('steered') steered() {
    return this.hub.stream('control').pipe(
      switchMap(() =>
        this.hub.stream('private', {
          snapshot: async () => [{ data: 'a secret of the steered' }],
        }),
      ),
    );
  }
  @SseStream('publishing') publishing() {
    void this.hub.publish('control', { data: 'go' });
    return NEVER;
  }
  @SseStream('stores') stores() {
    return this.hub.stream('stores').pipe(map((event) => ({ ...event, data: user.getStore() })));
  }
  @SseStream('two-hubs') twoHubs() {
    return merge(this.hub.stream('a'), this.other.stream('b'));
  }
  @SseStream('unplaced') unplaced() {
    return merge(this.hub.stream('a'), this.hub.stream('presence', { lastEventId: false }));
  }
  @SseStream('delays') delays() {
    return merge(this.hub.stream('b').pipe(delay(1_000_000)), this.hub.stream('a'));
  }
  @SseStream('again') again() {
    return this.hub.stream('a').pipe(take(2), repeat({ count: 3 }));
  }
  @SseStream('large-snapshot') largeSnapshot() {
    return this.hub.stream('a', { snapshot: async () => this.snapshot });
  }
}

async function start(adapter: Adapter) {
  const app = await serve(Streams, {
    adapter,
    module: { imports: [SseModule.forFeature([{ name: 'other' }])] },
    setup: (nest) =>
      nest.use(
        (request: { headers: Record<string, string> }, _response: unknown, next: () => void) =>
          user.run(request.headers['x-user'] ?? 'nobody', next),
      ),
  });
  const { hub, other } = app.nest.get(Streams);
  const open = async (path: string, headers: Record<string, string> = {}): Promise<TestStream> => {
    const stream = app.open(path, { headers });
    await stream.until(({ text }) => text.includes('\n\n'));
    return stream;
  };
  const back = (path: string, id: string | undefined) => open(path, { 'last-event-id': id ?? '' });
  return { app, hub, other, open, back, connections: app.nest.get(SseConnections) };
}
const datas = async (stream: TestStream, count: number): Promise<unknown[]> =>
  (await stream.take(count)).map(({ data }) => data);

describe.each(ADAPTERS)('who publishes does not matter to who reads (%s)', (adapter) => {
  it('an inner stream belongs to the connection of its reader, not to that of the publisher', async () => {
    const { open, hub } = await start(adapter);
    const steered = await open('/steered');
    const publishing = await open('/publishing');
    expect(await datas(steered, 1)).toEqual(['a secret of the steered']);
    await hub.publish('private', { data: 'more' });
    expect(await datas(steered, 1)).toEqual(['more']);
    expect(publishing.events).toEqual([]);
  });

  it('operators see the stores of the request that reads', async () => {
    const { open, hub } = await start(adapter);
    const streams = await Promise.all(
      ['ada', 'bob'].map((name) => open('/stores', { 'x-user': name })),
    );
    await user.run('publisher', () => hub.publish('stores', { data: 'x' }));
    expect(await Promise.all(streams.map((stream) => datas(stream, 1)))).toEqual([
      ['ada'],
      ['bob'],
    ]);
  });
});

describe.each(ADAPTERS)('several streams on one connection (%s)', (adapter) => {
  it('a hub that is live keeps the cursor of one whose replay was cut', async () => {
    const { open, back, hub, other } = await start(adapter);
    const stream = await open('/two-hubs');
    await hub.publish('a', { data: 'a0' });
    await other.publish('b', { data: 'b0' });
    const [, second] = await stream.take(2);
    stream.close();
    for (let n = 1; n <= 300; n++) await other.publish('b', { data: `b${n}` });
    const replaying = await back('/two-hubs', second?.id);
    const events = await replaying.take(100);
    replaying.close();
    const again = await back('/two-hubs', events.at(-1)?.id);
    expect(await datas(again, 200)).toEqual(Array.from({ length: 200 }, (_, n) => `b${n + 101}`));
    expect(again.text).not.toContain('sse-gap');
  });

  it('an event of a stream without cursors has no id that could pass the events of another', async () => {
    const { open, back, hub } = await start(adapter);
    const stream = await open('/unplaced');
    const first = await hub.publish('a', { data: 'a0' });
    await hub.publish('presence', { data: 'here' });
    expect(await stream.take(2)).toMatchObject([{ id: first }, { id: undefined, data: 'here' }]);
    stream.close();
    await hub.publish('a', { data: 'a1' });
    expect(await datas(await back('/unplaced', first), 1)).toEqual(['a1']);
  });

  it.each([
    ['in one of them', ['a']],
    ['in both', ['a', 'b']],
  ])(
    'what one lets out does not pass what the other holds back: an event %s',
    async (_where, rooms) => {
      const { open, back, hub } = await start(adapter);
      const before = await hub.publish('a', { data: 'before' });
      const stream = await open('/delays');
      await hub.publish('b', { data: 'held' });
      await hub.publish(rooms, { data: 'out' });
      const { id } = await stream.next();
      expect(id).toBe(before);
      stream.close();
      const again = await back('/delays', id);
      expect(again.text).not.toContain('sse-gap');
    },
  );

  it('a second subscription to a room does not begin at the old cursor again', async () => {
    const { back, hub } = await start(adapter);
    const first = await hub.publish('a', { data: '0' });
    for (let n = 1; n <= 2; n++) await hub.publish('a', { data: String(n) });
    const stream = await back('/again', first);
    expect(await datas(stream, 2)).toEqual([1, 2]);
    await hub.publish('a', { data: '3' });
    expect(await datas(stream, 1)).toEqual([3]);
  });
});

describe.each(ADAPTERS)('the first bytes (%s)', (adapter) => {
  it('the id of the opening is before an event that opens the stream', async () => {
    const hubs: Broadcaster[] = [];
    @Controller()
    class Opening {
      constructor(readonly hub: Broadcaster) {
        hubs.push(hub);
      }
      @SseStream('opening') opening() {
        const publish = defer(() => {
          void this.hub.publish('a', { data: 'first' });
          return NEVER;
        });
        return merge(this.hub.stream('a'), publish);
      }
    }
    const app = await serve(Opening, { adapter });
    const before = await hubs[0]!.position();
    const stream = app.open('/opening');
    const { id } = await stream.next();
    expect(stream.text).toMatch(
      new RegExp(`^: connected\\nretry: \\d+\\n\\nid: ${before}\\n\\ndata: first\\nid: ${id}\\n`),
    );
  });

  it('a snapshot that is larger than the limit goes out whole, whatever is published meanwhile', async () => {
    const { app, hub, connections } = await start(adapter);
    const part = 'x'.repeat(1_000_000);
    app.nest.get(Streams).snapshot = Array.from({ length: 12 }, (_, n) => ({
      data: `${n}${part}`,
    }));
    const reasons: string[] = [];
    connections.closed$.subscribe(({ reason }) => reasons.push(reason));
    const stream = app.open('/large-snapshot');
    await responded(stream);
    stream.pause();
    for (let n = 0; n < 20; n++) {
      await hub.publish('a', { data: `live ${n}` });
      await app.open('/none').ended;
    }
    stream.resume();
    await stream.take(12);
    expect(await datas(stream, 20)).toEqual(Array.from({ length: 20 }, (_, n) => `live ${n}`));
    expect(reasons).toEqual([]);
  });

  it('of an event without data are such that a browser fires it', async () => {
    const { open, hub } = await start(adapter);
    const stream = await open('/two-hubs');
    await hub.to('a').emit('refresh', undefined);
    expect(await stream.next()).toMatchObject({ type: 'refresh', data: '' });
  });
});

describe.each(ADAPTERS)('what cannot be streamed is told, not left open (%s)', (adapter) => {
  class Answers implements NestInterceptor {
    intercept() {
      return of('from a cache');
    }
  }
  @Controller()
  class Odd {
    @UseInterceptors(Answers) @SseStream('cached-above') cachedAbove() {
      return NEVER;
    }
    @SseStream('no-body') noBody(
      @Res({ passthrough: true }) response: { status(code: number): void },
    ) {
      response.status(102);
      return NEVER;
    }
  }

  // feature: 33
  it.each([
    ['/cached-above', 'an interceptor returned without calling the handler'],
    ['/no-body', 'a response with status 102 has no body to stream; set another status'],
  ])('%s is a 500 with the reason in the log', async (path, reason) => {
    const app = await serve(Odd, { adapter });
    expect((await responded(app.open(path))).status).toBe(500);
    expect(app.logged).toEqual([expect.stringContaining(reason)]);
    expect(app.nest.get(SseConnections).count).toBe(0);
  });
});

describe.each(ADAPTERS)('a socket with many requests (%s)', (adapter) => {
  // feature: 37
  it('keeps nothing of streams that have ended', async () => {
    @Controller()
    class Finite {
      @SseStream('finite') finite() {
        return of('x');
      }
    }
    const app = await serve(Finite, { adapter });
    const connections = app.nest.get(SseConnections);
    const gone: WeakRef<object>[] = [];
    connections.closed$.subscribe(({ connection }) => gone.push(new WeakRef(connection)));
    const socket = net.connect(app.port, '127.0.0.1');
    socket.resume();
    const request = 'HEAD /finite HTTP/1.1\r\nHost: x\r\n\r\n';
    socket.write(request.repeat(50));
    while (gone.length < 50) await new Promise(setImmediate);
    const { setFlagsFromString } = await import('node:v8');
    const { runInNewContext } = await import('node:vm');
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const kept = (): number => gone.filter((ref) => ref.deref() !== undefined).length;
    await until('most of them are collected', () => {
      gc();
      return kept() < 25;
    });
    expect(gone).toHaveLength(50);
    socket.destroy();
  });
});
