// The map of a state room, at a server of this library, over connections that break anywhere.
import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import type { ConnectOptions } from 'nestjs-eventstream/client';
import { openStream } from 'nestjs-eventstream/testing';
import { FAULT_RUNS, FAULT_SEED } from '../support/flapping.js';
import { Random } from '../support/random.js';
import { ADAPTERS, serve } from '../support/serve.js';
import { until } from '../support/until.js';
import { open } from './support.js';

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('rooms') rooms() {
    return this.hub.stream(['prices', 'news']);
  }
}

type Prices = Record<string, number>;

/** Ends each body after so many bytes, as a connection that breaks. */
const cutting =
  (bytesOf: () => number, onCut: () => void): NonNullable<ConnectOptions['fetch']> =>
  async (url, init) => {
    const response = await fetch(url, init);
    let left = bytesOf();
    const cut = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        controller.enqueue(chunk.subarray(0, left));
        left -= chunk.length;
        if (left > 0) return;
        controller.error(new Error('cut'));
        onCut();
      },
    });
    const { status, headers } = response;
    return new Response(response.body?.pipeThrough(cut), { status, headers });
  };

describe.each(ADAPTERS)('a state room on %s', (adapter) => {
  const start = async () => {
    const app = await serve(Streams, { adapter, sse: { retry: 1, history: { maxEvents: 8 } } });
    const hub = app.nest.get(Broadcaster);
    return { app, hub, room: hub.state<Prices>('prices'), url: `${app.url}/rooms` };
  };

  it.each(Array.from({ length: FAULT_RUNS }, (_, n) => FAULT_SEED + n))(
    'has the same entries in each map at last (FAULT_SEED=%d)',
    async (seed) => {
      const random = new Random(seed);
      const { hub, room, url } = await start();
      let isOver = false;
      let cuts = 0;
      const bytes = (): number => (isOver ? Infinity : 1 + random.below(2_000));
      const streams = Array.from({ length: 4 }, () =>
        open(url, { fetch: cutting(bytes, () => cuts++) }),
      );
      const maps = streams.map((stream) => stream.stateOf<Prices>('prices'));
      const followed = new Map<string, number>();
      const following = (async () => {
        for await (const { kind, key, value } of maps[0]!.changes) {
          if (kind === 'set') followed.set(key, value);
          else if (kind === 'delete') followed.delete(key);
          else {
            followed.clear();
            for (const [name, entry] of maps[0]!) followed.set(name, entry);
          }
        }
      })();
      for (let n = 0; n < 300; n++) {
        const key = `k${random.below(20)}`;
        if (random.below(4) === 0) await room.delete(key);
        else await room.set(key, n);
        if (random.below(5) === 0) await hub.to('news').emit('n', n);
        if (n % 5 > 0) continue;
        // Neither far ahead of the clients nor in step with them.
        const before = cuts;
        await room.set('step', n);
        await until('some clients', () => cuts > before || maps[0]!.get('step') === n);
      }
      isOver = true;
      const last = async (): Promise<object> =>
        Object.fromEntries((await room.entries()).entries.map(({ key, value }) => [key, value]));
      await room.set('last', 1);
      const expected = await last();
      await until('all maps have the last', () => maps.every((map) => map.has('last')));
      expect(maps.map((map) => Object.fromEntries(map))).toEqual(maps.map(() => expected));
      await until('the loop has the last', () => followed.has('last'));
      expect(Object.fromEntries(followed)).toEqual(expected);
      for (const stream of streams) stream.close();
      await following;
    },
    60_000,
  );

  it('has its entries in a page that was rendered with them', async () => {
    const { room, url } = await start();
    await room.set('A', 1);
    const { entries, cursor } = await room.entries();
    await room.set('B', 2);
    const stream = open(url, { lastEventId: cursor });
    const prices = stream.stateOf<Prices>(
      'prices',
      entries.map(({ key, value }) => [key, value] as const),
    );
    expect([...prices]).toEqual([['A', 1]]);
    await until('the change', () => prices.has('B'));
    expect([...prices]).toEqual([
      ['A', 1],
      ['B', 2],
    ]);
  });

  it('has its entries in a test', async () => {
    const { app, room } = await start();
    await room.set('A', 1);
    const stream = await openStream(app.nest, '/rooms');
    expect([...(await stream.stateOf('prices'))]).toEqual([['A', 1]]);
    await stream.until(({ cursor }) => cursor !== undefined);
    await room.delete('A');
    const back = await stream.reconnect();
    await back.next('sse-delete');
    expect((await back.stateOf('prices')).size).toBe(0);
  });
});
