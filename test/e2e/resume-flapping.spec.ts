import { describe, expect, it } from '@jest/globals';
import { SseConnections } from 'nestjs-eventstream';
import { hasCursor, range, start } from '../support/resuming.js';
import { ADAPTERS } from '../support/serve.js';

describe.each(ADAPTERS)('clients that flap at random (%s)', (adapter) => {
  // feature: 46
  // fault: 13
  it('12 clients on 5 rooms get each of 6 000 events once and in order, over hundreds of drops', async () => {
    const seed = Number(process.env['FLAP_SEED'] ?? Math.floor(Math.random() * 1e9));
    console.log(`FLAP_SEED=${seed}`);
    let state = seed;
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 4_294_967_296;
    };
    const ROOMS = ['a', 'b', 'c', 'd', 'e'];
    const TOTAL = 6_000;
    const { app, hub, open } = await start(adapter, {
      keepAlive: { intervalMs: 50 },
      history: { maxEvents: 10_000 },
      retry: 1,
    });
    const roomsOf = Array.from({ length: TOTAL }, () => {
      const rooms = ROOMS.filter(() => random() < 0.25);
      return rooms.length > 0 ? rooms : ['a'];
    });
    let drops = 0;
    const progress: number[] = [];

    const client = async (n: number): Promise<{ got: number[]; owed: number[] }> => {
      const rooms = ROOMS.filter((_, index) => index === n % 5 || random() < 0.4);
      const owed = range(0, TOTAL - 1).filter((uid) =>
        roomsOf[uid]?.some((room) => rooms.includes(room)),
      );
      const got: number[] = [];
      let cursor: string | undefined;
      let begun = 0;
      progress[n] = -1;
      while (got.length < owed.length) {
        const stream = open(`/rooms?rooms=${rooms.join(',')}`, cursor);
        await stream.until(hasCursor);
        if (begun++ === 0) ready();
        const enough = 1 + Math.floor(random() * 120);
        await stream.until(
          () => stream.events.length >= enough || got.length + stream.events.length >= owed.length,
        );
        stream.close();
        drops++;
        cursor = stream.cursor ?? cursor;
        expect(stream.text).not.toContain('sse-gap');
        got.push(...stream.events.map(({ data }) => Number(data)));
        progress[n] = got.at(-1) ?? -1;
      }
      progress[n] = TOTAL;
      return { got, owed };
    };

    let waiting = 12;
    let begin!: () => void;
    const allReady = new Promise<void>((resolve) => (begin = resolve));
    const ready = (): void => void (--waiting === 0 && begin());
    const clients = Promise.all(range(0, 11).map(client));
    await allReady;
    for (let uid = 0; uid < TOTAL; uid++) {
      void hub.to(...roomsOf[uid]!).emit('n', uid);
      // Not further ahead of the slowest client than one replay carries.
      do await new Promise(setImmediate);
      while (uid - Math.min(...progress) > 800);
    }
    for (const { got, owed } of await clients) expect(got).toEqual(owed);
    expect(drops).toBeGreaterThan(200);
    expect(app.nest.get(SseConnections).count).toBeLessThanOrEqual(12);
  }, 60_000);
});
