import { describe, expect, it } from '@jest/globals';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { StateReads } from '../../lib/hub/state-reads.js';
import type { RoomEntries } from '../../lib/log/entries.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';

class CountingLog extends MemoryEventLog {
  reads = 0;
  override entries(room: string): Promise<RoomEntries | undefined> {
    this.reads++;
    return super.entries(room);
  }
}

describe('reads of a state', () => {
  it('are two for any number of clients that come together to a room without one', async () => {
    const log = new CountingLog(SSE_DEFAULTS.history);
    const states = new StateReads(log);
    const { epoch, position } = await log.head();
    const reads = Array.from({ length: 100 }, () => states.read('a', { epoch, position }));
    expect(new Set(await Promise.all(reads))).toEqual(new Set([undefined]));
    expect(log.reads).toBe(2);
    await log.close();
  });
});
