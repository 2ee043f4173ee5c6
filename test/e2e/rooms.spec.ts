import { describe, expect, it } from '@jest/globals';
import { Controller, DefaultValuePipe, Injectable, Param, Post, Query, Body } from '@nestjs/common';
import { firstValueFrom, map, merge, tap } from 'rxjs';
import {
  Broadcaster,
  Connection,
  getBroadcasterToken,
  InjectBroadcaster,
  SseConnections,
  SseModule,
  SseStream,
  type SseConnection,
} from 'nestjs-eventstream';
import type { TestEvent } from 'nestjs-eventstream/testing';
import { ADAPTERS, serve, type ServeOptions } from '../support/serve.js';
import { responded, type TestStream } from '../support/stream-client.js';

interface ChatEvents {
  said: { by: string; text: string };
  left: { by: string };
}

const speakerOf = ({ data }: TestEvent): string => (data as ChatEvents['said']).by;

@Injectable()
class Chat {
  constructor(readonly hub: Broadcaster<ChatEvents>) {}
  say(rooms: string[], by: string, text = 'hello'): Promise<string> {
    return this.hub.to(...rooms).emit('said', { by, text });
  }
}

@Controller()
class ChatController {
  constructor(private readonly service: Chat) {}
  @SseStream('chat') default(@Query('room', new DefaultValuePipe('default')) room: string) {
    return this.service.hub.stream(room);
  }
  @SseStream('rooms/:rooms') rooms(@Param('rooms') rooms: string) {
    return this.service.hub.stream(rooms.split(','));
  }
  @SseStream('said') said() {
    return this.service.hub.stream('a', { types: ['said'] });
  }
  @SseStream('not-by/:name') notBy(
    @Param('name') name: string,
    @Connection() connection: SseConnection,
  ) {
    connection.data['name'] = name;
    return this.service.hub.stream('a', {
      filter: (event) => event.data.by !== connection.data['name'],
    });
  }
  @SseStream('broken-filter') brokenFilter() {
    return this.service.hub.stream('a', {
      filter: () => {
        throw new Error('no filter today');
      },
    });
  }
  @SseStream('loud') loud() {
    return this.service.hub.stream('a', { types: ['said'] }).pipe(
      map((event) => ({
        ...event,
        data: (event.data as ChatEvents['said']).text.toUpperCase(),
      })),
    );
  }
  @SseStream('echo') echo() {
    return this.service.hub.stream('a').pipe(
      tap((event) => {
        if (event.data.by !== 'echo') void this.service.say(['a'], 'echo');
      }),
    );
  }
  @Post('say/:room') post(@Param('room') room: string, @Body() { by }: { by: string }) {
    return this.service.say([room], by).then((id) => ({ id }));
  }
}

async function chat(options: ServeOptions) {
  const app = await serve(ChatController, { ...options, module: { providers: [Chat] } });
  const service = app.nest.get(Chat);
  const open = async (path: string): Promise<TestStream> => {
    const stream = app.open(path);
    await stream.until(({ text }) => text.endsWith('\n\n'));
    return stream;
  };
  return { app, service, hub: service.hub, open };
}

describe.each(ADAPTERS)('rooms on %s', (adapter) => {
  // feature: 54, 60
  it('an event reaches every connection of its room as the same bytes, with its cursor as id', async () => {
    const { service, open, hub } = await chat({ adapter });
    const streams = await Promise.all([
      open('/chat'),
      open('/chat?room=default'),
      open('/chat?room=other'),
    ]);
    expect(hub.rooms().sort()).toEqual(['default', 'other']);
    expect([hub.size(), hub.size('default'), hub.size('other'), hub.size('none')]).toEqual([
      3, 2, 1, 0,
    ]);
    const cursor = await service.say(['default'], 'ada');
    expect(cursor).toMatch(/^1\.[\w-]{8}\.[0-9a-z]{10}$/);
    const frame = `event: said\ndata: {"by":"ada","text":"hello"}\nid: ${cursor}\n\n`;
    await streams[0].until(({ text }) => text.endsWith(frame));
    await streams[1].until(({ text }) => text.endsWith(frame));
    await service.say(['other'], 'bob');
    expect((await streams[2].next()).data).toMatchObject({ by: 'bob' });
    expect(streams[2].events).toHaveLength(1);
  });

  // feature: 61
  it('an event to several rooms reaches a connection in two of them once', async () => {
    const { service, open } = await chat({ adapter });
    const [both, one] = await Promise.all([open('/rooms/a,b,a'), open('/rooms/b')]);
    await service.say(['a', 'b', 'c'], 'first');
    await service.say(['b'], 'second');
    const by = async (stream: TestStream) => (await stream.take(2)).map(speakerOf);
    expect(await by(both)).toEqual(['first', 'second']);
    expect(await by(one)).toEqual(['first', 'second']);
  });

  // feature: 23, 51
  // fault: 14
  it('ids increase also within a millisecond, and no event is lost in a burst', async () => {
    const { service, open } = await chat({ adapter });
    const stream = await open('/rooms/a');
    const cursors = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => service.say(['a'], String(n))),
    );
    expect([...new Set(cursors)].sort()).toEqual(cursors);
    const events = await stream.take(1_000);
    expect(events.map(({ id }) => id)).toEqual(cursors);
  });

  // feature: 57
  // fault: 17
  it('an event right after subscribing is received: subscribed means in the room', async () => {
    const { hub } = await chat({ adapter });
    let received = 0;
    for (let n = 0; n < 10_000; n++) {
      const subscription = hub.stream(`room ${n}`).subscribe(() => received++);
      void hub.to(`room ${n}`).emit('left', { by: 'x' });
      subscription.unsubscribe();
    }
    expect(received).toBe(10_000);
    expect(hub.rooms()).toEqual([]);
  });

  // feature: 62
  it('`types` and `filter` let only matches through; a filter that throws ends its stream only', async () => {
    const { app, hub, service, open } = await chat({ adapter });
    const [said, notAda, broken] = await Promise.all([
      open('/said'),
      open('/not-by/ada'),
      open('/broken-filter'),
    ]);
    await hub.to('a').emit('left', { by: 'bob' });
    await service.say(['a'], 'ada');
    await service.say(['a'], 'eve');
    expect((await said.take(2)).map((event) => [event.type, speakerOf(event)])).toEqual([
      ['said', 'ada'],
      ['said', 'eve'],
    ]);
    expect((await notAda.take(2)).map(speakerOf)).toEqual(['bob', 'eve']);
    expect(await broken.ended).toContain('event: sse-error');
    expect(app.logged).toEqual(['no filter today']);
    expect(hub.size()).toBe(2);
  });

  it('a mapped event is a message of its own with the id of the event', async () => {
    const { service, open } = await chat({ adapter });
    const loud = await open('/loud');
    const id = await service.say(['a'], 'ada', 'hi');
    expect(await loud.next()).toMatchObject({ type: 'said', id, data: 'HI' });
  });

  it('a reader that publishes while it is delivered to does not change the order of others', async () => {
    const { service, open } = await chat({ adapter });
    const streams = await Promise.all([open('/rooms/a'), open('/echo'), open('/rooms/a')]);
    const cursor = await service.say(['a'], 'ada');
    for (const stream of streams) {
      const events = await stream.take(2);
      expect(events.map(speakerOf)).toEqual(['ada', 'echo']);
      expect(events[0]?.id).toBe(cursor);
      expect(String(events[1]?.id) > cursor).toBe(true);
    }
  });

  it('an ephemeral event has no id, and `retry` goes with its event', async () => {
    const { hub, open } = await chat({ adapter });
    const stream = await open('/rooms/a');
    expect(await hub.to('a').emit('left', { by: 'x' }, { ephemeral: true, retry: 9 })).toBe('');
    await stream.until(({ text }) => text.endsWith('event: left\nretry: 9\ndata: {"by":"x"}\n\n'));
    const id = await hub.publish(['a'], { comment: 'c', data: 'text', retry: 10 });
    await stream.until(({ text }) => text.endsWith(`: c\nretry: 10\ndata: text\nid: ${id}\n\n`));
  });

  // feature: 59
  it('clients that leave are gone without a further event, and so are their rooms', async () => {
    const { app, hub, open } = await chat({ adapter });
    const connections = app.nest.get(SseConnections);
    const streams = await Promise.all(
      Array.from({ length: 50 }, (_, n) => open(`/rooms/all,${n}`)),
    );
    expect([hub.size(), hub.rooms().length, connections.count]).toEqual([50, 51, 50]);
    const closed = Promise.all(connections.list().map((connection) => connection.closed));
    for (const stream of streams) stream.close();
    expect(new Set(await closed)).toEqual(new Set(['client']));
    expect([hub.size(), hub.rooms(), connections.count]).toEqual([0, [], 0]);
  });

  // feature: 58
  it('counts are exact after each connect and each leave', async () => {
    const { app, hub, open } = await chat({ adapter });
    const connections = app.nest.get(SseConnections);
    const counts = () => ({
      sizes: [hub.size(), hub.size('a'), hub.size('b'), hub.size('none')],
      rooms: hub.rooms().sort(),
      listed: [connections.count, connections.list().length],
    });
    const leave = async (stream: TestStream): Promise<void> => {
      const left = firstValueFrom(connections.closed$);
      stream.close();
      await left;
    };
    const one = await open('/rooms/a');
    expect(counts()).toEqual({ sizes: [1, 1, 0, 0], rooms: ['a'], listed: [1, 1] });
    const both = await open('/rooms/a,b');
    expect(counts()).toEqual({ sizes: [2, 2, 1, 0], rooms: ['a', 'b'], listed: [2, 2] });
    const two = await open('/rooms/b');
    expect(counts()).toEqual({ sizes: [3, 2, 2, 0], rooms: ['a', 'b'], listed: [3, 3] });
    await leave(one);
    expect(counts()).toEqual({ sizes: [2, 1, 2, 0], rooms: ['a', 'b'], listed: [2, 2] });
    await leave(both);
    expect(counts()).toEqual({ sizes: [1, 0, 1, 0], rooms: ['b'], listed: [1, 1] });
    await leave(two);
    expect(counts()).toEqual({ sizes: [0, 0, 0, 0], rooms: [], listed: [0, 0] });
  });

  it('closeRoom ends the connections in it, with its reason', async () => {
    const { app, hub, open } = await chat({ adapter });
    const [inside, outside] = await Promise.all([open('/rooms/a,b'), open('/rooms/c')]);
    const reasons: unknown[] = [];
    app.nest.get(SseConnections).closed$.subscribe(({ reason }) => reasons.push(reason));
    let completed = 0;
    hub.stream('b').subscribe({ complete: () => completed++ });
    hub.closeRoom('b', 'moved');
    await inside.ended;
    expect([reasons, completed, hub.rooms()]).toEqual([['moved'], 1, ['c']]);
    await hub.to('c').emit('left', { by: 'x' });
    expect(await outside.next()).toMatchObject({ type: 'left' });
  });

  // feature: 54, 60
  it('another route publishes', async () => {
    const { app, open } = await chat({ adapter });
    const stream = await open('/rooms/a');
    const posted = await fetch(`${app.url}/say/a`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"by":"form"}',
    });
    const { id } = (await posted.json()) as { id: string };
    expect(await stream.next()).toMatchObject({ id, data: { by: 'form', text: 'hello' } });
  });

  it('a room name of 0 or 257 characters is a 400 from the URL and an SseError in code', async () => {
    const { app, hub } = await chat({ adapter });
    for (const room of ['', 'x'.repeat(257)]) {
      const refused = app.open(`/chat?room=${room}`);
      expect((await responded(refused)).status).toBe(400);
      expect(await refused.ended).toContain('room: expected a name of 1 to 256 characters');
      expect(() => hub.stream(room)).toThrow(
        expect.objectContaining({ code: 'SSE_INVALID_FIELD' }),
      );
      await expect(hub.to(room).emit('left', { by: 'x' })).rejects.toMatchObject({
        code: 'SSE_INVALID_FIELD',
      });
    }
    expect((await responded(app.open(`/chat?room=${'x'.repeat(256)}`))).status).toBe(200);
    expect(() => hub.stream([])).toThrow('expected at least one room (got an empty array)');
    expect((await responded(app.open('/chat?room=__proto__'))).status).toBe(200);
  });

  // feature: 13, 51
  it.each([
    ['an id of its own', { id: '1', data: 'x' }, 'SSE_INVALID_FIELD'],
    ['a line break in its type', { type: 'a\nid: 9', data: 'x' }, 'SSE_INVALID_FIELD'],
    ['a fractional retry', { data: 'x', retry: 1.5 }, 'SSE_INVALID_FIELD'],
    ['a BigInt', { data: 1n }, 'SSE_SERIALIZE'],
  ])(
    'a message with %s is rejected and nobody gets anything of it',
    async (_title, message, code) => {
      const { hub, open } = await chat({ adapter });
      const stream = await open('/rooms/a');
      await expect(hub.publish('a', message)).rejects.toMatchObject({ code });
      await hub.publish('a', { data: 'next' });
      expect(await stream.next()).toMatchObject({ data: 'next' });
    },
  );

  // feature: 55
  it('named hubs are apart from each other and the same in every module', async () => {
    @Controller()
    class Two {
      constructor(
        @InjectBroadcaster() readonly main: Broadcaster,
        @InjectBroadcaster('orders') readonly orders: Broadcaster,
      ) {}
      @SseStream('main') mainEvents() {
        return this.main.stream('r');
      }
      @SseStream('both') both() {
        return merge(this.main.stream('r'), this.orders.stream('r'));
      }
    }
    const app = await serve(Two, {
      adapter,
      module: {
        imports: [
          SseModule.forFeature([{ name: 'orders' }]),
          {
            module: class Other {},
            imports: [SseModule.forFeature([{ name: 'orders' }, { name: 'stock' }])],
          },
        ],
      },
    });
    const { main, orders } = app.nest.get(Two);
    const token = getBroadcasterToken('orders');
    expect(app.nest.get(token, { strict: false })).toBe(orders);
    const [one, both] = [app.open('/main'), app.open('/both')];
    await Promise.all([
      one.until(({ text }) => text !== ''),
      both.until(({ text }) => text !== ''),
    ]);
    await orders.publish('r', { data: 'order' });
    await main.publish('r', { data: 'main' });
    expect((await both.take(2)).map(({ data }) => data)).toEqual(['order', 'main']);
    expect(await one.next()).toMatchObject({ data: 'main' });
  });

  // feature: 56
  // fault: 16
  it('a closed hub settles every call with SSE_CLOSED', async () => {
    const { app, hub } = await chat({ adapter });
    const errors: unknown[] = [];
    let completed = 0;
    hub.stream('a').subscribe({ complete: () => completed++ });
    const calls = Array.from({ length: 2_000 }, () => hub.publish('a', { data: 'x' }));
    const closing = app.close();
    const more = Array.from({ length: 2_000 }, () => hub.publish('a', { data: 'x' }));
    await closing;
    const late = hub.publish('a', { data: 'x' });
    hub.stream('a').subscribe({ error: (error: unknown) => errors.push(error) });
    const settled = await Promise.allSettled([...calls, ...more, late]);
    expect(settled.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'SSE_CLOSED' } });
    expect(settled).toHaveLength(4_001);
    expect([completed, errors]).toEqual([1, [expect.objectContaining({ code: 'SSE_CLOSED' })]]);
  });
});
