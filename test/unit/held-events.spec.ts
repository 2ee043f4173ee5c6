import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { HeldEvents } from '../../lib/hub/held-events.js';
import { Hub } from '../../lib/hub/hub.js';
import { HubEvent } from '../../lib/log/event.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';

const changeOf = (type: string, key: string, position: number): HubEvent => {
  const body = `event: ${type}\ndata: ${JSON.stringify({ room: 'a', key, value: 'x'.repeat(50) })}\n`;
  const message = { type, data: { key } };
  return new HubEvent({ epoch: 'e', position, rooms: ['a'], message, body });
};

describe('held events', () => {
  it('count deletions, but not entries that were set', () => {
    const held = new HeldEvents();
    held.push(changeOf('sse-set', 'one', 1));
    expect(held.size).toBe(0);
    const deletion = changeOf('sse-delete', 'one', 2);
    held.push(deletion);
    held.push(changeOf('sse-delete', 'one', 2));
    expect(held.size).toBe(deletion.frame.length);
    held.push(changeOf('sse-set', 'one', 3));
    expect(held.size).toBe(0);
    expect([...held.events]).toHaveLength(1);
  });

  it('end a stream that waits while keys come and go without end', async () => {
    const log = new MemoryEventLog(SSE_DEFAULTS.history);
    const hub = new Hub(log);
    await hub.start();
    let failure: unknown;
    const snapshot = () => new Promise<[]>(() => {});
    const options = { snapshot, connection: false } as const;
    hub.stream('a', options).subscribe({ error: (error: unknown) => (failure = error) });
    await turn();
    const room = hub.state<Record<string, number>>('a');
    for (let n = 0; n < 2_000; n++) {
      const key = `${'k'.repeat(500)} ${n}`;
      await room.set(key, n);
      await room.delete(key);
    }
    expect(failure).toMatchObject({ code: 'SSE_OVERFLOW' });
    await hub.close();
  });
});
