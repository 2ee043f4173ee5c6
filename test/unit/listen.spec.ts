import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Registry } from 'prom-client';
import { SSE_DEFAULTS, type SseConnection } from 'nestjs-eventstream';
import { diagnostics } from '../../lib/connection/diagnostics.js';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { Hubs } from '../../lib/hub/hubs.js';
import { NoteKeeper } from '../../lib/inspector/note-keeper.js';
import { listen } from '../../lib/hub/listen.js';
import { collectMetrics } from '../../lib/prometheus/metrics.js';
import { openRegistry } from '../support/registry.js';

const connection = { id: 'one' } as SseConnection;
const trap = (): never => {
  throw new Error('a trap');
};

describe('what the library listens to', () => {
  it('ends no process when a listener throws, and is told rarely', () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const stop = listen('The test', { open: trap, close: () => {} });
    // Node throws what a subscriber throws in the next tick: this test would not come to its end.
    for (let n = 0; n < 100; n++) diagnostics.open.publish({ connection, openingMs: 1 });
    stop();
    diagnostics.open.publish({ connection, openingMs: 1 });
    expect(warn.mock.calls).toEqual([['The test failed on "open": a trap']]);
    warn.mockRestore();
  });

  it('takes any error, whatever looking at it does', async () => {
    const hub = new Hub(new MemoryEventLog(SSE_DEFAULTS.history));
    const connections = openRegistry();
    const hubs = new Hubs({});
    hubs.running.add(hub);
    const registry = new Registry();
    const notes = new NoteKeeper('p', () => false);
    const stop = collectMetrics(connections, hubs, { registry });
    const hostile: unknown[] = [
      Object.defineProperty({}, 'message', { get: trap }),
      new Proxy({}, { get: trap, has: trap, getPrototypeOf: trap }),
      { code: { toString: trap } },
      { code: Symbol('c') },
      Object.create(null),
      null,
    ];
    for (const error of hostile) {
      diagnostics.error.publish({ error, connection: undefined, broadcaster: hub });
    }
    expect(notes.report().list.reduce((sum, { times }) => sum + times, 0)).toBe(hostile.length);
    expect(await registry.metrics()).toContain(`sse_errors_total{code="other"} ${hostile.length}`);
    notes.stop();
    stop();
  });
});
