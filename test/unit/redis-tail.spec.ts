import { describe, expect, it } from '@jest/globals';
import type { RoomEntry } from '../../lib/log/event-log.js';
import { decodeEvent, type StoredEvent } from '../../lib/log/event-text.js';
import { Tail } from '../../lib/redis/tail.js';

const eventAt = (position: number, rooms: readonly string[], data = ''): StoredEvent =>
  decodeEvent('e', position, `${JSON.stringify([rooms, 'text'])}\ndata: ${data}\n`)!;
const positions = (entries: readonly RoomEntry[] = []): number[] =>
  entries.map(({ event }) => event.position);

describe('the tail of a log', () => {
  it('has all of a room after its beginning, and nothing to say of before', () => {
    const tail = new Tail(100, 10_000);
    tail.add(eventAt(110, ['a', 'b']), [90, 100]);
    tail.add(eventAt(120, ['a']), [110]);
    expect(positions(tail.read('a', 100)?.entries)).toEqual([110, 120]);
    expect(positions(tail.read('a', 110)?.entries)).toEqual([120]);
    expect(tail.read('b', 110)).toEqual({ last: 110, entries: [], isWhole: true });
    expect(tail.read('quiet', 105)).toEqual({ last: 105, entries: [], isWhole: true });
    expect(tail.read('a', 99)).toBeUndefined();
  });

  it('lets the oldest go, and then says nothing of them', () => {
    const tail = new Tail(0, 1_500);
    for (const position of [1, 2, 3, 4]) tail.add(eventAt(position, ['a']), [position - 1]);
    expect(tail.beginning).toBe(2);
    expect(tail.read('a', 1)).toBeUndefined();
    expect(positions(tail.read('a', 2)?.entries)).toEqual([3, 4]);
  });

  it('goes on where a page ends, also where the page knows more than it', () => {
    const tail = new Tail(100, 10_000);
    tail.add(eventAt(110, ['a']), [90]);
    const entries = [80, 90, 110, 120].map((position, n) => ({
      event: eventAt(position, ['a']),
      previous: [70, 80, 90, 110][n] ?? 0,
    }));
    tail.keep('a', { after: 70, upTo: 110, last: 120, entries });
    expect(positions(tail.read('a', 80)?.entries)).toEqual([90, 110, 120]);
    expect(tail.read('a', 80)?.last).toBe(120);
    expect(tail.read('a', 69)).toBeUndefined();
    // What this process has been told is enough for a client that is as far.
    expect(positions(tail.read('a', 100)?.entries)).toEqual([110]);
  });

  it('forgets a page that does not reach its beginning any more', () => {
    const tail = new Tail(100, 1_000);
    tail.keep('a', { after: 0, upTo: 100, last: 90, entries: [] });
    expect(tail.read('a', 50)).toEqual({ last: 90, entries: [], isWhole: true });
    for (const position of [110, 120, 130]) tail.add(eventAt(position, ['b']), [100]);
    expect(tail.read('a', 50)).toBeUndefined();
  });

  it('counts what an event takes: each of its rooms, and two bytes per character beyond ASCII', () => {
    const count = (rooms: string[], data: string): number => {
      const tail = new Tail(0, 100_000);
      let events = 0;
      while (tail.beginning === 0) tail.add(eventAt(++events, rooms, data), [0]);
      return events;
    };
    const plain = count(['a'], 'x'.repeat(1_000));
    expect(plain).toBeGreaterThan(50);
    expect(count(['a'], '✓'.repeat(1_000))).toBeLessThan(plain * 0.7);
    const wide = Array.from({ length: 20 }, (_, n) => `r${n}`);
    expect(count(wide, 'x'.repeat(1_000))).toBeLessThan(plain * 0.5);
  });

  it('keeps pages within its bytes', () => {
    const tail = new Tail(100, 500);
    for (const room of ['a', 'b', 'c']) {
      tail.keep(room, { after: 0, upTo: 100, last: 0, entries: [] });
    }
    expect(tail.read('a', 50)).toBeUndefined();
    expect(tail.read('c', 50)).toBeDefined();
  });
});
