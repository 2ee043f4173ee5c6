import { channel } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SSE_CHANNELS, SSE_DEFAULTS, type SseConnection } from 'nestjs-eventstream';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { diagnostics as ofConnections } from '../../lib/connection/diagnostics.js';
import { diagnostics as ofHubs } from '../../lib/hub/diagnostics.js';
import { diagnostics as ofLogs } from '../../lib/log/diagnostics.js';
import { Traffic } from '../../lib/inspector/traffic.js';
import { openRegistry } from '../support/registry.js';

const connection = { id: 'one' } as SseConnection;
const connections = openRegistry();
const diagnostics = { ...ofConnections, ...ofHubs, ...ofLogs };
const broadcaster = new Hub(new MemoryEventLog(SSE_DEFAULTS.history));
const own = { id: 'own' } as SseConnection;

describe('the traffic that the inspector counts', () => {
  let traffic: Traffic;
  beforeEach(() => {
    traffic = new Traffic((one) => one === own);
  });
  afterEach(() => traffic.stop());

  it('is what the channels tell, without its own', () => {
    for (const one of [connection, own]) {
      diagnostics.open.publish({ connection: one, openingMs: 1 });
      diagnostics.deliver.publish({ connection: one, events: 2, bytes: 30 });
      diagnostics.deliver.publish({ connection: one, events: 0, bytes: 5 });
      diagnostics.replay.publish({ connection: one, events: 4 });
      diagnostics.drop.publish({ connection: one, events: 3 });
      diagnostics.close.publish({ connection: one, reason: 'client', durationMs: 1 });
    }
    diagnostics.replay.publish({ connection: undefined, events: 1 });
    diagnostics.publish.publish({ hub: '', broadcaster, rooms: ['a', 'b'], type: 'x', bytes: 9 });
    diagnostics.refuse.publish({
      connections,
      reason: 'key',
      request: { headers: {}, ip: '203.0.113.7' },
    });
    diagnostics.gap.publish({ connection, rooms: ['a'], reason: 'trimmed' });

    const { total, perSecond, closes, refusals, gaps } = traffic.report();
    expect(total).toEqual({
      delivered: 2,
      bytes: 35,
      published: 1,
      opened: 1,
      replayed: 5,
      dropped: 3,
    });
    // The first second counts as a whole: a rate of a moment would be huge.
    for (const name of Object.keys(total) as (keyof typeof total)[]) {
      expect(perSecond[name]).toBeGreaterThan(0);
      expect(perSecond[name]).toBeLessThanOrEqual(total[name]);
    }
    expect([closes, refusals, gaps]).toEqual([{ client: 1 }, { key: 1 }, { trimmed: 1 }]);
    expect([...traffic.perConnection().keys()]).toEqual([connection]);
    expect([...traffic.perRoom('').keys()]).toEqual(['a', 'b']);
    expect(traffic.perRoom('other').size).toBe(0);
  });

  it('leaves the rates after five intervals, and stays in the totals', () => {
    diagnostics.deliver.publish({ connection, events: 2, bytes: 30 });
    diagnostics.publish.publish({ hub: 'chat', broadcaster, rooms: ['a'], type: 'x', bytes: 9 });
    for (let n = 0; n < 4; n++) traffic.nextInterval();
    expect(traffic.report().perSecond.delivered).toBeGreaterThan(0);
    expect(traffic.perRoom('chat').get('a')).toBeGreaterThan(0);
    traffic.nextInterval();
    expect(traffic.report().perSecond).toMatchObject({ delivered: 0, published: 0 });
    expect([traffic.perRoom('chat').size, traffic.perConnection().size]).toEqual([0, 0]);
    expect(traffic.report().total).toMatchObject({ delivered: 2, published: 1 });
  });

  it('is bounded, whatever names an app makes up', () => {
    for (let n = 0; n < 10_100; n++) {
      const reason = `reason ${n} ${'x'.repeat(300)}`;
      diagnostics.close.publish({ connection, reason, durationMs: 1 });
      diagnostics.publish.publish({
        hub: '',
        broadcaster,
        rooms: [`room ${n}`],
        type: 'x',
        bytes: 9,
      });
    }
    const { closes } = traffic.report();
    expect(Object.keys(closes)).toHaveLength(50);
    expect(Object.keys(closes)[0]).toHaveLength(200);
    expect(traffic.perRoom('').size).toBe(10_000);
  });

  it('is told nothing any more when it has stopped', () => {
    traffic.stop();
    diagnostics.open.publish({ connection, openingMs: 1 });
    expect(traffic.report().total.opened).toBe(0);
    const names = Object.values(SSE_CHANNELS);
    expect(names.filter((name) => channel(name).hasSubscribers)).toEqual([]);
  });
});
