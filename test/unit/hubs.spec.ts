import { describe, expect, it } from '@jest/globals';
import {
  Broadcaster,
  SSE_DEFAULTS,
  type EventLogFactory,
  type HubOptions,
} from 'nestjs-eventstream';
import { fakeConnection } from 'nestjs-eventstream/testing';
import { hubOf } from '../../lib/hub/hub.js';
import { Hubs } from '../../lib/hub/hubs.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';

class LogInTrouble extends MemoryEventLog {
  constructor(readonly trouble: string | undefined) {
    super(SSE_DEFAULTS.history);
  }
}

/** A log of its own for each name, with this trouble. */
const logs =
  (troubles: Record<string, string> = {}): EventLogFactory =>
  ({ name }) =>
    new LogInTrouble(troubles[name]);

describe('the hubs of a process', () => {
  it('are one for each name, and are running once they have started', async () => {
    const hubs = new Hubs({ log: logs() });
    const opening = [hubs.open('', {}), hubs.open('orders', {}), hubs.open('orders', {})];
    expect([...hubs.running]).toEqual([]);
    const [main, orders, again] = await Promise.all(opening);
    expect(again).toBe(orders);
    expect(orders).not.toBe(main);
    expect([...hubs.running].map(({ name }) => name)).toEqual(['', 'orders']);
    await hubs.close();
  });

  it.each<[string, HubOptions, HubOptions, boolean]>([
    ['the same', { history: { maxEvents: 1 } }, { history: { maxEvents: 1 } }, true],
    ['none but undefined ones', {}, { history: undefined }, true],
    ['the module’s own', {}, { history: { maxEvents: 5 } }, true],
    ['another history', { history: { maxEvents: 1 } }, { history: { maxEvents: 2 } }, false],
    ['none instead of some', { history: false }, {}, false],
  ])('take options again: %s', async (_title, first, second, isAllowed) => {
    const hubs = new Hubs({ log: logs(), history: { maxEvents: 5 } });
    const hub = await hubs.open('orders', first);
    let again: unknown;
    try {
      again = await hubs.open('orders', second);
    } catch (error) {
      again = error;
    }
    const refusal: unknown = expect.objectContaining({ path: 'forFeature "orders"' });
    expect(again).toEqual(isAllowed ? hub : refusal);
    await hubs.close();
  });

  it.each<[string, Record<string, string>, string | undefined]>([
    ['none', {}, undefined],
    ['that of the default hub', { '': 'cut off', orders: 'full' }, 'cut off'],
    ['that of a named hub, with its name', { orders: 'full' }, 'orders: full'],
  ])('tell their trouble: %s', async (_title, troubles, told) => {
    const hubs = new Hubs({ log: logs(troubles) });
    await hubs.open('', {});
    await hubs.open('orders', {});
    expect(await hubs.trouble()).toBe(told);
    await hubs.close();
  });

  it('publish nothing once they are closed, also where one of them cannot close its log', async () => {
    const hubs = new Hubs({
      log: ({ name }) =>
        Object.assign(new MemoryEventLog(SSE_DEFAULTS.history), {
          ...(name === 'broken' && { close: () => Promise.reject(new Error('stuck')) }),
        }),
    });
    const all = [await hubs.open('broken', {}), await hubs.open('orders', {})];
    await hubs.close();
    for (const hub of all) await expect(hub.to('a').emit('n', 1)).rejects.toThrow('closed');
  });
});

describe('the engine of a broadcaster', () => {
  it('is the broadcaster itself, which is one for instanceof', async () => {
    const hubs = new Hubs({ log: logs() });
    const broadcaster: Broadcaster = await hubs.open('', {});
    expect(broadcaster).toBeInstanceOf(Broadcaster);
    expect(hubOf(broadcaster)).toBe(broadcaster);
    await hubs.close();
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['an object with the same members', { to: () => ({ emit: () => Promise.resolve('') }) }],
    ['another object of this library', fakeConnection()],
    ['an object with no more than the prototype', Object.create(Broadcaster.prototype)],
  ])('is not to be had from %s', (_title, value) => {
    const take = (): unknown => hubOf(value as Broadcaster);
    expect(take).toThrow(/^broadcaster: expected the Broadcaster of SseModule/);
    expect(take).toThrow(expect.objectContaining({ code: 'SSE_OPTIONS' }));
  });
});
