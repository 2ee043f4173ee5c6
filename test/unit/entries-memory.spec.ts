// What the entries of a log in memory count, and that it is what they take.
import { describe, expect, it } from '@jest/globals';
import { SSE_DEFAULTS, SseLimitError, type SetOptions } from 'nestjs-eventstream';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { heapOf } from '../support/collector.js';

const MAX_BYTES = 4_000_000;
const FULL = { code: 'SSE_LIMIT', limit: 'state.maxBytes' };

type Numbers = Record<string, number>;

class Filled {
  private now = 0;
  count = 0;
  readonly hub = new Hub(
    new MemoryEventLog(SSE_DEFAULTS.history, {
      clock: () => this.now,
      state: { maxKeys: 100_000, maxBytes: MAX_BYTES },
    }),
  );

  constructor(
    private readonly roomOf: (n: number) => string,
    private readonly options?: SetOptions,
  ) {}

  set(n: number): Promise<string> {
    return this.hub.state<Numbers>(this.roomOf(n)).set(`key ${n}`, n, this.options);
  }

  delete(n: number): Promise<string> {
    return this.hub.state<Numbers>(this.roomOf(n)).delete(`key ${n}`);
  }

  /** As many as fit, without what the history keeps of them. */
  async fill(): Promise<void> {
    await this.hub.start();
    for (;;) {
      try {
        await this.set(this.count);
        this.count++;
      } catch (error) {
        if (!(error instanceof SseLimitError)) throw error;
        break;
      }
    }
    await this.expireHistory();
  }

  async expireHistory(): Promise<void> {
    this.now += SSE_DEFAULTS.history.maxAgeMs + 1;
    await this.hub.log.read(['any'], { after: 0, maxEvents: 1, maxBytes: 1 });
  }
}

describe('the entries of a log in memory', () => {
  it.each([
    ['in one room', () => 'a', undefined],
    ['that end', () => 'a', { ttlMs: 3_600_000 }],
    ['in rooms of their own', (n: number) => `room ${n}`, undefined],
    ['in rooms of three', (n: number) => `room ${n % 3}`, undefined],
  ])('%s count what they take', async (_title, roomOf, options) => {
    const filled = new Filled(roomOf, options);
    const used = await heapOf(() => filled.fill());
    expect(used / MAX_BYTES).toBeGreaterThan(0.75);
    expect(used / MAX_BYTES).toBeLessThan(1.15);
    await filled.hub.close();
  });

  it('free what they counted', async () => {
    const filled = new Filled((n) => `room ${n % 1_000}`, { ttlMs: 3_600_000 });
    await filled.fill();
    const { count } = filled;
    for (let n = 0; n < count; n++) await filled.delete(n);
    for (let n = 0; n < count; n++) await filled.set(n);
    await expect(filled.set(count)).rejects.toMatchObject(FULL);
    await filled.hub.close();
  });

  it('let go of the value that was before', async () => {
    const filled = new Filled(() => 'a');
    await filled.hub.start();
    const state = filled.hub.state<Record<string, string>>('a');
    const used = await heapOf(async () => {
      for (let n = 0; n < 50; n++) {
        await state.set('key', `${n}`.padEnd(50_000), { ttlMs: 3_600_000 });
      }
      await filled.expireHistory();
    });
    expect(used).toBeLessThan(1_000_000);
    await filled.hub.close();
  });
});
