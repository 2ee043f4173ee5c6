import { describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/01-dashboard/app.module.js';
import { ROOMS } from '../../sample/01-dashboard/events.js';
import { openStream, post, runSample } from '../support/sample.js';

/** One event for each room, and the one that each connection begins with. */
const TURN = ROOMS.length;

describe('sample 01, dashboard', () => {
  // feature: 110
  it('gives three clients equal figures', async () => {
    const app = await runSample(AppModule);
    const open = () => openStream(app, '/events?rooms=memory');
    const streams = await Promise.all([open(), open(), open()]);
    const taken = await Promise.all(streams.map((stream) => stream.take(3)));
    const [first, ...others] = taken.map(([connected, ...figures]) => {
      expect(connected).toMatchObject({ type: 'connected', id: undefined });
      return figures;
    });
    expect(first).toMatchObject([{ type: 'memory' }, { type: 'memory' }]);
    for (const other of others) expect(other).toEqual(first);
  });

  // feature: 110
  it('gives a newcomer first what every room had before', async () => {
    const app = await runSample(AppModule);
    const watcher = await openStream(app, '/events');
    const [, ...seen] = await watcher.take(1 + 2 * TURN);
    expect(new Set(seen.map(roomOf))).toEqual(new Set(ROOMS));

    const newcomer = await openStream(app, '/events');
    const [connected, ...history] = await newcomer.take(1 + 2 * TURN);
    expect(history).toEqual(seen);
    const { at } = connected!.data as { at: number };
    for (const { data } of history) expect((data as { at: number }).at).toBeLessThanOrEqual(at);
  });

  it('gives a client that was dropped what it missed, and not its last minute again', async () => {
    const app = await runSample(AppModule);
    const watcher = await openStream(app, '/events?rooms=memory');
    const client = await openStream(app, '/events?rooms=memory');
    const [connected, first] = await client.take(2);
    const { connection } = connected!.data as { connection: string };
    expect(await post(app, `/connections/${connection}/drop`)).toMatchObject({ status: 204 });
    await client.closed;

    await watcher.until(({ events }) => events.length >= 4);
    const returned = await client.reconnect();
    const [, ...missed] = await returned.take(3);
    const before = client.events.at(-1)!.id;
    const all = (await watcher.take(watcher.events.length)).map(({ id }) => id);
    expect(all).toContain(first!.id);
    const from = all.indexOf(before) + 1;
    expect(missed.map(({ id }) => id)).toEqual(all.slice(from, from + 2));
    expect(await post(app, '/connections/nobody/drop')).toMatchObject({ status: 404 });
  });
});

function roomOf({ type, data }: { type: string; data: unknown }): string {
  return type === 'unavailable' ? (data as { room: string }).room : type;
}
