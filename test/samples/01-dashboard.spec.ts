import { describe, expect, it } from '@jest/globals';
import { Broadcaster } from 'nestjs-eventstream';
import type { TestStream } from 'nestjs-eventstream/testing';
import { AppModule } from '../../sample/01-dashboard/app.module.js';
import { KEPT, ROOMS } from '../../sample/01-dashboard/events.js';
import { openStream, post, runSample } from '../support/sample.js';

describe('sample 01, dashboard', () => {
  // feature: 110
  it('gives three clients equal figures', async () => {
    const app = await runSample(AppModule);
    const open = () => openStream(app, '/events?rooms=memory');
    const streams = await Promise.all([open(), open(), open()]);
    const taken = await Promise.all(
      streams.map(async (stream) => {
        expect(await stream.next()).toMatchObject({ type: 'connected', id: undefined });
        await stream.until(({ events }) => events.some(({ data }) => keyOf(data) === '1'));
        const state = await stream.stateOf('memory');
        return [state.get('0'), state.get('1')];
      }),
    );
    const [first, ...others] = taken;
    const sample = { at: expect.any(Number), usedBytes: expect.any(Number) };
    expect(first).toMatchObject([sample, sample]);
    for (const other of others) expect(other).toEqual(first);
  });

  // feature: 110
  it('gives a newcomer the state of every room first', async () => {
    const app = await runSample(AppModule);
    const watcher = await openStream(app, '/events');
    await watcher.until(({ events }) => events.filter(isSet).length >= 2 * ROOMS.length);
    const seen = watcher.events.filter(isSet).slice(0, 2 * ROOMS.length);

    const newcomer = await openStream(app, '/events');
    for (const name of ROOMS) {
      const before = seen
        .map(({ data }) => data as { room: string; key: string; value: unknown })
        .filter(({ room }) => room === name)
        .map(({ key, value }) => [key, value]);
      expect(before).toHaveLength(2);
      expect([...(await newcomer.stateOf(name))]).toEqual(expect.arrayContaining(before));
    }
  });

  it('keeps the last minute of a room', async () => {
    const app = await runSample(AppModule);
    const room = app.get(Broadcaster).state('memory');
    for (let key = 0; key < KEPT; key++) await room.set(String(key), { at: 0 });
    const watcher = await openStream(app, '/events?rooms=memory');
    await watcher.until(hasLive);
    const state = await (await openStream(app, '/events?rooms=memory')).stateOf('memory');
    expect(state.size).toBe(KEPT);
    expect(state.get('0')).toMatchObject({ at: expect.any(Number), usedBytes: expect.any(Number) });
  });

  it('gives a client that was dropped what it missed, and not its last minute again', async () => {
    const app = await runSample(AppModule);
    const watcher = await openStream(app, '/events?rooms=memory');
    const client = await openStream(app, '/events?rooms=memory');
    const { connection } = (await client.next('connected')).data as { connection: string };
    await client.until(hasLive);
    expect(await post(app, `/connections/${connection}/drop`)).toMatchObject({ status: 204 });
    await client.closed;

    const returned = await client.reconnect();
    const [, ...missed] = await returned.take(3);
    const before = client.events.at(-1)!.id;
    await watcher.until(({ events }) => events.some(({ id }) => id === missed[1]!.id));
    const all = watcher.events.map(({ id }) => id);
    const from = all.indexOf(before) + 1;
    expect(missed.map(({ id }) => id)).toEqual(all.slice(from, from + 2));
    expect(await post(app, '/connections/nobody/drop')).toMatchObject({ status: 404 });
  });
});

const isSet = ({ type }: { readonly type: string }) => type === 'sse-set';

const keyOf = (data: unknown) => (data as { key?: string }).key;

/** Whether a change has come. The entries of a state have no id. */
const hasLive = ({ events }: TestStream) => events.some(({ id }) => id !== undefined);
