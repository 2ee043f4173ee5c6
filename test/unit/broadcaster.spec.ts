import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { finalize, repeat, retry, Subscriber, take } from 'rxjs';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';

async function openHub(): Promise<Hub> {
  const hub = new Hub(new MemoryEventLog(SSE_DEFAULTS.history));
  await hub.start();
  return hub;
}

describe('events that are not published', () => {
  it('are one line of the log in ten seconds, with how many they were since the last', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    try {
      const hub = await openHub();
      await hub.close();
      for (let second = 0; second <= 10; second++) {
        await expect(hub.to('a').emit('n', second)).rejects.toThrow('closed');
        jest.advanceTimersByTime(1_000);
      }
      const why = 'the hub is closed; stop using it';
      expect(warn.mock.calls).toEqual([
        [`An event was not published: ${why}`],
        [`10 events were not published, the last error: ${why}`],
      ]);
    } finally {
      jest.useRealTimers();
      warn.mockRestore();
    }
  });
});

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
