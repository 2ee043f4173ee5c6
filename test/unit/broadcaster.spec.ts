import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { finalize, repeat, retry, Subscriber, take } from 'rxjs';
import { Broadcaster } from '../../lib/broadcaster.js';
import { MemoryEventLog } from '../../lib/event-log-memory.js';
import { SSE_DEFAULTS } from '../../lib/sse.options.js';

async function openHub(): Promise<Broadcaster> {
  const hub = new Broadcaster(new MemoryEventLog(SSE_DEFAULTS.history));
  await hub.start();
  return hub;
}

describe('delivery to the readers of a room', () => {
  it('gives an event to those who were there, not to who subscribes because of it', async () => {
    const hub = await openHub();
    const seen: unknown[] = [];
    hub.stream('a').subscribe();
    hub
      .stream('a')
      .pipe(take(1), repeat(1_000))
      .subscribe(({ data }) => seen.push(data));
    await hub.to('a').emit('n', 1);
    await hub.to('a').emit('n', 2);
    expect(seen).toEqual([1, 2]);
    let asked = 0;
    const filter = (): boolean => {
      asked++;
      throw new Error('always');
    };
    hub.stream('b').subscribe();
    hub.stream('b', { filter }).pipe(retry(1_000)).subscribe();
    await hub.to('b').emit('n', 1);
    expect(asked).toBe(1);
  });

  it('closes the streams of a room once, also those that come back at once', async () => {
    const hub = await openHub();
    let ends = 0;
    hub.stream('a').subscribe();
    const counted = hub.stream('a').pipe(finalize(() => ends++));
    counted.pipe(repeat(1_000)).subscribe();
    hub.closeRoom('a');
    expect([ends, hub.size('a')]).toEqual([1, 1]);
  });

  it('goes on when a reader throws', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    const hub = await openHub();
    const seen: unknown[] = [];
    const throwing = new Subscriber<unknown>({
      next: () => {
        throw new Error('a reader');
      },
      error: () => {},
      complete: () => {},
    });
    hub.stream('a').subscribe(throwing);
    hub.stream('a').subscribe(({ data }) => seen.push(data));
    await hub.to('a').emit('n', 1);
    await hub.to('a').emit('n', 2);
    expect(seen).toEqual([1, 2]);
    expect(logged).toHaveBeenCalledTimes(2);
    logged.mockRestore();
  });
});
