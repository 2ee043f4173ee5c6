import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Turn } from '../../lib/output/batch.js';
import { Outbox } from '../../lib/output/outbox.js';
import type { OutboxOwner } from '../../lib/output/outbox-owner.js';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { RecordingResponse } from '../support/recording-response.js';

const owner: OutboxOwner = {
  wrote() {},
  blocked() {},
  mark: () => 'aBcDeF-_',
  waitingOf: (frame) => ({ frame }),
  cut() {},
  failed(error) {
    throw error;
  },
};

const event = { data: 'x' };

function open(flushMs: number, count = 1, maxBufferedBytes = 1_048_576) {
  const turn = new Turn();
  const settings = { ...streamSettings({ flushMs }), maxBufferedBytes };
  return Array.from({ length: count }, () => {
    const raw = new RecordingResponse();
    const outbox = new Outbox(raw.asResponse, turn, settings, owner);
    outbox.open(': hi\n\n');
    return { raw, outbox, chunks: raw.chunks };
  });
}

/** Time passes, with the turns of the event loop at its end. */
const pass = (ms: number): void => {
  jest.advanceTimersByTime(ms);
  jest.advanceTimersByTime(1);
};

beforeEach(() => {
  jest.useFakeTimers({ now: 0, doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('a window of 50 ms', () => {
  it('lets the opening and the first event go at once, and collects what comes within it', () => {
    const [{ outbox, chunks }] = open(50) as [ReturnType<typeof open>[0]];
    expect(chunks).toEqual([': hi\n\n']);
    outbox.push('1', event);
    pass(0);
    expect(chunks.slice(1)).toEqual(['1']);
    outbox.push('2', event);
    pass(20);
    outbox.push('3', event);
    expect(outbox.bufferedBytes).toBe(2);
    pass(20);
    expect(chunks.slice(1)).toEqual(['1']);
    pass(20);
    expect(chunks.slice(1)).toEqual(['1', '23']);
  });

  it('begins again with each write, and lets a lone event after a pause go at once', () => {
    const [{ outbox, chunks }] = open(50) as [ReturnType<typeof open>[0]];
    const times: number[] = [];
    chunks.push = (...texts) => {
      times.push(performance.now());
      return Array.prototype.push.apply(chunks, texts);
    };
    for (let n = 0; n < 40; n++) {
      outbox.push('x', event);
      pass(9);
    }
    const gaps = times.slice(1).map((time, n) => time - times[n]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(50);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(55);
    pass(200);
    const before = times.length;
    outbox.push('lone', event);
    pass(0);
    expect(times).toHaveLength(before + 1);
  });

  it.each<[string, (outbox: Outbox) => unknown, string[]]>([
    ['what is no event, with all before it', (outbox) => outbox.push('gap'), ['1', '2gap']],
    ['the last frame', (outbox) => outbox.pushLast('end'), ['1', '2end']],
    ['the end', (outbox) => outbox.end(), ['1', '2']],
    ['a replay, which waits for its writes', (outbox) => outbox.written(), ['1', '2']],
  ])('does not delay %s', (_name, act, expected) => {
    const [{ outbox, chunks }] = open(50) as [ReturnType<typeof open>[0]];
    outbox.push('1', event);
    pass(0);
    outbox.push('2', event);
    pass(5);
    void act(outbox);
    pass(0);
    expect(chunks.slice(1)).toEqual(expected);
    // Nothing is left for the end of the window.
    pass(100);
    expect(chunks.slice(1)).toEqual(expected);
  });

  it('is one timer and one buffer for all who wrote together', () => {
    const all = open(50, 100);
    const writes = all.map(({ raw }) => jest.spyOn(raw, 'write'));
    for (const { outbox } of all) outbox.push('1', event);
    pass(0);
    const timers = jest.getTimerCount();
    for (const text of ['2', '3']) for (const { outbox } of all) outbox.push(text, event);
    // One more at most: the writes may have taken two slices, but not in a faked clock.
    expect(jest.getTimerCount()).toBe(timers + 1);
    pass(60);
    const last = writes.map((write) => write.mock.lastCall?.[0]);
    expect(new Set(last).size).toBe(1);
    expect(String(last[0])).toBe('23');
  });

  it('is over early for a full batch, and its limits count what is collected', () => {
    const [{ outbox, chunks }] = open(50, 1, 10) as [ReturnType<typeof open>[0]];
    for (const text of ['1', '2222222222', '3']) {
      outbox.push(text, event);
      if (text === '1') pass(0);
    }
    expect(chunks.slice(1)).toEqual(['1', '2222222222']);
    expect(outbox.bufferedBytes).toBe(1);
    pass(60);
    expect(chunks.slice(1)).toEqual(['1', '2222222222', '3']);
  });

  it('does not hold up who sends one message after the other, as long as little waits', async () => {
    const [{ outbox }] = open(50) as [ReturnType<typeof open>[0]];
    outbox.push('1', event);
    pass(0);
    const state = async (promise: Promise<void>): Promise<string> => {
      const settled = promise.then(() => 'resolved');
      return Promise.race([settled, Promise.resolve('pending')]);
    };
    outbox.push('2', event);
    const little = outbox.writable();
    pass(0);
    await expect(little).resolves.toBeUndefined();
    outbox.push('x'.repeat(20_000), event);
    const much = outbox.writable();
    expect(await state(much)).toBe('pending');
    pass(0);
    await expect(much).resolves.toBeUndefined();
    expect(outbox.bufferedBytes).toBe(0);
    outbox.discard();
    await expect(outbox.writable()).rejects.toThrow('closed');
  });

  it('ends with its connection', () => {
    const [{ outbox, chunks }] = open(50) as [ReturnType<typeof open>[0]];
    outbox.push('1', event);
    pass(0);
    outbox.push('2', event);
    outbox.discard();
    pass(100);
    expect(chunks.slice(1)).toEqual(['1']);
  });
});

it('of 0 ms is none: each turn is written', () => {
  const [{ outbox, chunks }] = open(0) as [ReturnType<typeof open>[0]];
  for (const text of ['1', '2']) {
    outbox.push(text, event);
    pass(0);
  }
  expect(chunks.slice(1)).toEqual(['1', '2']);
});
