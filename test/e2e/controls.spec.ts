// Control events in the words of another protocol: to a client that looks at data alone, none of
// ours may come, and no loss may go untold.
import { describe, expect, it } from '@jest/globals';
import { Controller, NotFoundException, Query } from '@nestjs/common';
import { concat, NEVER, of, throwError, timer, ignoreElements, type Observable } from 'rxjs';
import {
  Broadcaster,
  SseConnections,
  SseStream,
  type ControlOptions,
  type Overflow,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { ADAPTERS, serve, type Adapter } from '../support/serve.js';
import { responded, type TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

/** As the UI message streams of chats write it: everything is data. */
const WORDS: ControlOptions = {
  gap: ({ rooms, reason }) => ({ data: { type: 'data-gap', data: { rooms, reason } } }),
  error: ({ message }) => ({ data: { type: 'error', errorText: String(message) } }),
  end: ({ reason }) => ({ data: reason === 'complete' ? '[DONE]' : `[${reason}]` }),
  open: ({ rooms }) => ({ data: { type: 'data-rooms', rooms } }),
  rooms: ({ rooms }) => ({ data: { type: 'data-rooms', rooms } }),
};
const GAP = (reason: string) => ({
  type: 'message',
  data: { type: 'data-gap', data: { rooms: ['busy'], reason } },
});
const DONE = { type: 'message', data: '[DONE]', id: 'sse-end' };

async function start(adapter: Adapter, controls: ControlOptions, sse: SseModuleOptions = {}) {
  const fails = (error: unknown): Observable<unknown> =>
    concat(
      of('so far'),
      timer(1).pipe(ignoreElements()),
      throwError(() => error),
    );
  @Controller()
  class Streams {
    constructor(readonly hub: Broadcaster) {}
    @SseStream('rooms', { controls }) rooms() {
      return this.hub.stream(['busy', 'quiet']);
    }
    @SseStream('done', { controls, onComplete: 'close' }) done() {
      return of('all');
    }
    @SseStream('fails', { controls }) fails(@Query('status') status?: string) {
      return fails(status === '404' ? new NotFoundException('no such chat') : new Error('secret'));
    }
    @SseStream('changeable', { controls }) changeable() {
      return this.hub.stream('busy', { changeable: true });
    }
    @SseStream('open', { controls }) open() {
      return concat(of('first'), NEVER);
    }
  }
  const app = await serve(Streams, {
    adapter,
    sse: { retry: 1, history: { maxEvents: 2 }, ...sse },
  });
  const { hub } = app.nest.get(Streams);
  const connections = app.nest.get(SseConnections);
  const reasons: string[] = [];
  connections.closed$.subscribe(({ reason }) => reasons.push(reason));
  const open = (path: string, lastEventId?: string): TestStream =>
    app.open(
      `/${path}`,
      lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } },
    );
  /** A cursor whose client has missed more of `busy` than is kept, and one event of `quiet`. */
  const missed = async (): Promise<string> => {
    const seen = await hub.to('busy').emit('n', 0);
    for (const n of [1, 2, 3]) await hub.to('busy').emit('n', n);
    await hub.to('quiet').emit('q', 'kept');
    return seen;
  };
  return { app, hub, connections, reasons, open, missed };
}

const numbersOf = ({ events }: TestStream): number[] =>
  events.filter(({ type }) => type === 'n').map(({ data }) => parseInt(String(data), 10));
const begun = (stream: TestStream): Promise<unknown> =>
  stream.until(({ text }) => text.includes('\n\n'));

describe.each(ADAPTERS)('control events in other words (%s)', (adapter) => {
  it('tell a gap before what is replayed', async () => {
    const { open, missed } = await start(adapter, WORDS);
    const back = open('rooms', await missed());
    await back.until(({ events }) => events.length === 2);
    expect(back.events).toMatchObject([GAP('trimmed'), { type: 'q', data: 'kept' }]);
    expect(back.events[0]?.id).toBeUndefined();
    expect(back.text).not.toContain('sse-');
  });

  it('tell the end of a source, after which the client is not let in again', async () => {
    const { open } = await start(adapter, WORDS);
    const stream = open('done');
    await stream.ended;
    expect(stream.events).toEqual([{ type: 'message', data: 'all' }, DONE]);
    expect((await responded(open('done', 'sse-end'))).status).toBe(204);
  });

  it('break a connection whose end would look like that of the source', async () => {
    const { app, connections, reasons } = await start(adapter, { early: 'break' });
    const read = async (): Promise<string> => {
      const response = await fetch(`${app.url}/open`);
      return response.text().then(
        (text) => `whole: ${text}`,
        () => 'broken',
      );
    };
    const closed = read();
    await until('it is open', () => connections.count === 1);
    for (const connection of connections.list()) connection.close('moved');
    expect(await closed).toBe('broken');
    const drained = read();
    await until('it is open', () => connections.count === 1);
    await app.close();
    expect(await drained).toBe('broken');
    expect(reasons).toEqual(['moved', 'shutdown']);
    const { open } = await start(adapter, { early: 'break' });
    // The end of the source, and errors, are told as ever.
    const done = open('done');
    await done.ended;
    expect(done.events.map(({ type }) => type)).toEqual(['message', 'sse-end']);
  });

  it('tell of an error only what a client may know, and log it', async () => {
    const { app, open } = await start(adapter, WORDS);
    const stream = open('fails');
    await stream.ended;
    const errorText = 'Internal server error';
    expect(stream.events).toEqual([
      { type: 'message', data: 'so far' },
      { type: 'message', data: { type: 'error', errorText } },
    ]);
    expect(app.logged).toContain('secret');
  });

  it('tell of an error after which nobody should return, and the end', async () => {
    const { open } = await start(adapter, WORDS);
    const stream = open('fails?status=404');
    await stream.ended;
    expect(stream.events.slice(1)).toEqual([
      { type: 'message', data: { type: 'error', errorText: 'no such chat' } },
      { type: 'message', data: '[error]', id: 'sse-end' },
    ]);
  });

  it('tell a client that it may not read on', async () => {
    const { open, connections, reasons } = await start(adapter, WORDS);
    const stream = open('open');
    await stream.next();
    connections.revoke(() => true);
    await stream.ended;
    expect(stream.events.at(-1)).toEqual({ type: 'message', data: '[auth]' });
    expect(reasons).toEqual(['auth']);
  });

  it('tell rooms that change, with the cursor', async () => {
    const { open, connections } = await start(adapter, WORDS);
    const stream = open('changeable');
    await stream.until(({ events }) => events.length === 1);
    await connections.list()[0]?.join('more');
    await stream.until(({ events }) => events.length === 2);
    expect(stream.events).toMatchObject([
      { data: { type: 'data-rooms', rooms: ['busy'] }, id: expect.any(String) },
      { data: { type: 'data-rooms', rooms: ['busy', 'more'] }, id: expect.any(String) },
    ]);
  });

  it('are left out with `false`, and what their ids say is not', async () => {
    const { open, connections } = await start(adapter, { end: false, open: false, rooms: false });
    const done = open('done');
    await done.ended;
    expect(done.events).toEqual([{ type: 'message', data: 'all' }]);
    expect(done.text.endsWith('data: all\n\nid: sse-end\n\n')).toBe(true);
    const stream = open('changeable');
    await begun(stream);
    const ids = () => stream.text.match(/^id: .*$/gm) ?? [];
    await stream.until(() => ids().length >= 2);
    const before = ids().length;
    await connections.list()[0]?.join('more');
    await stream.until(() => ids().length > before);
    expect(stream.events).toEqual([]);
  });

  it('end the stream at a gap with `end`, and the client is not let in again', async () => {
    const { open, missed, reasons } = await start(adapter, { ...WORDS, gap: 'end' });
    const seen = await missed();
    const back = open('rooms', seen);
    await back.ended;
    expect(back.events).toEqual([{ type: 'message', data: '[gap]', id: 'sse-end' }]);
    expect(reasons).toEqual(['gap']);
    const { status } = await responded(open('rooms', back.events[0]?.id));
    expect(status).toBe(204);
  });

  it('end it for the gaps for which the function says so', async () => {
    const gap: ControlOptions['gap'] = ({ reason }) =>
      reason === 'unknown' ? 'end' : { type: 'lost' };
    const { open, missed } = await start(adapter, { gap, end: false });
    const back = open('rooms', await missed());
    expect(await back.next()).toMatchObject({ type: 'lost' });
    const stranger = open('rooms', 'of another server');
    await stranger.ended;
    expect(stranger.events).toEqual([]);
    expect(stranger.text).toContain('id: sse-end\n\n');
  });

  it('end it without a message after an error with `end`', async () => {
    const { app, open } = await start(adapter, { error: 'end' });
    const stream = open('fails');
    await stream.ended;
    expect(stream.events).toEqual([{ type: 'message', data: 'so far' }]);
    expect(app.logged).toContain('secret');
  });

  it.each<[string, ControlOptions['gap'], string]>([
    ['nothing', () => undefined as never, "message, or 'end', got undefined"],
    ['false', () => false as never, 'got false'],
    ['a message with an id', () => ({ id: 7, data: 'gap' }), 'a message without an id'],
  ])('fail the stream where the function returns %s for a gap', async (_title, gap, told) => {
    const { app, open, missed } = await start(adapter, { gap });
    const back = open('rooms', await missed());
    await back.ended;
    // Nothing was written yet.
    expect([back.status, back.events]).toEqual([500, []]);
    expect(app.logged.join()).toContain(told);
  });

  it('that throw do not keep a stream from ending', async () => {
    const end = (): never => {
      throw new Error('no words');
    };
    const { app, open, connections, reasons } = await start(adapter, { end });
    const [stream, missing] = [open('open'), open('fails?status=404')];
    await stream.next();
    await missing.ended;
    connections.revoke(() => true);
    await stream.ended;
    expect(reasons).toEqual(['error', 'auth']);
    expect(app.logged.filter((line) => line === 'no words')).toHaveLength(2);
  });

  it('of a route replace those of the module one by one', async () => {
    const module: ControlOptions = { end: () => ({ data: '[MODULE]' }), gap: 'end' };
    const { open, missed } = await start(adapter, { gap: WORDS.gap }, { controls: module });
    const stream = open('done');
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ data: '[MODULE]' });
    const back = open('rooms', await missed());
    expect(await back.next()).toMatchObject(GAP('trimmed'));
  });

  /** A slow client, and events until it has lost some or is cut. */
  async function flooded(overflow: Overflow, gap: ControlOptions['gap']) {
    const { app, hub, connections, ...rest } = await start(
      adapter,
      { gap },
      { backpressure: { overflow, maxBufferedBytes: 300_000 }, history: { maxBytes: 1e9 } },
    );
    let count = 0;
    const emit = () => hub.to('busy').emit('n', `${count++} ${'x'.repeat(10_000)}`);
    const slow = rest.open('rooms');
    await begun(slow);
    slow.pause();
    const [connection] = connections.list();
    const goesOn = () => connection?.state === 'open' && connection.droppedEvents < 20;
    while (goesOn()) {
      for (let n = 0; n < 20; n++) await emit();
      // Others are served meanwhile.
      await responded(app.open('/none'));
    }
    slow.resume();
    return { ...rest, slow, connection, emit, count: () => count };
  }

  it.each(['drop-oldest', 'drop-newest'] as const)(
    'tell a slow client what it has lost, with %s',
    async (overflow) => {
      const { slow, connection, emit, count } = await flooded(overflow, WORDS.gap);
      await slow.until(() => connection?.bufferedBytes === 0);
      await emit();
      await slow.until((stream) => numbersOf(stream).at(-1) === count() - 1);
      const gaps = slow.events.filter(({ type }) => type === 'message');
      expect(gaps).not.toEqual([]);
      expect(gaps).toEqual(gaps.map(() => expect.objectContaining(GAP('overflow'))));
      expect(numbersOf(slow).length + (connection?.droppedEvents ?? 0)).toBe(count());
      expect(slow.text).not.toContain('sse-');
    },
  );

  it.each(['drop-oldest', 'drop-newest', 'conflate'] as const)(
    'cut a slow client before what it would lose, with `end` and %s',
    async (overflow) => {
      const { slow, open, reasons, count } = await flooded(overflow, 'end');
      await slow.closed;
      expect(reasons).toEqual(['overflow']);
      const seen = numbersOf(slow);
      expect(seen).toEqual(seen.map((_seen, n) => n));
      expect(seen.length).toBeLessThan(count());
      // Or it is told that it has missed more than a replay carries.
      const back = open('rooms', slow.events.at(-1)?.id);
      await back.next();
      expect([seen.length, undefined]).toContain(numbersOf(back)[0]);
    },
  );

  it('for errors replace `onError` of the module, and `onError` of a route replaces them', async () => {
    const module = await start(
      adapter,
      { error: () => ({ data: 'route' }) },
      {
        onError: () => ({ data: 'module' }),
      },
    );
    const route = module.open('fails');
    await route.ended;
    expect(route.events.at(-1)).toMatchObject({ data: 'route' });
    @Controller()
    class Own {
      @SseStream('own', { onError: () => ({ data: 'own' }) }) own() {
        return concat(
          of(1),
          timer(1),
          throwError(() => new Error('x')),
        );
      }
    }
    const app = await serve(Own, { adapter, sse: { controls: { error: 'end' } } });
    const own = app.open('/own');
    await own.ended;
    expect(own.events.at(-1)).toMatchObject({ data: 'own' });
  });
});
