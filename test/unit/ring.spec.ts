import { describe, expect, it } from '@jest/globals';
import { Ring } from '../../lib/log/ring.js';
import { collector } from '../support/collector.js';

describe('a ring', () => {
  it('is as a list, however it grows and shrinks', () => {
    const ring = new Ring<number>();
    const list: number[] = [];
    // Longer and longer waves, each of which empties it again.
    for (let wave = 1, next = 0; wave < 60; wave++) {
      for (let n = 0; n < wave; n++) {
        ring.push(next);
        list.push(next++);
        const taken = n % 3 === 0 ? [ring.shift(), list.shift()] : [0, 0];
        expect(taken[0]).toBe(taken[1]);
        expect(ring.length).toBe(list.length);
        expect(ring.at(0)).toBe(list[0]);
        expect(ring.slice(0, 5)).toEqual(list.slice(0, 5));
        const after = (list[0] ?? 0) + (n % 7);
        const index = list.findIndex((item) => item > after);
        expect(ring.firstIndex((item) => item > after)).toBe(index < 0 ? list.length : index);
      }
      while (list.length > wave % 4) expect(ring.shift()).toBe(list.shift());
    }
    expect(ring.slice(0, Infinity)).toEqual(list);
  });

  it('answers nothing when it is empty', () => {
    const ring = new Ring<number>();
    expect([ring.shift(), ring.at(0), ring.length, ring.slice(0, 1)]).toEqual([undefined, undefined, 0, []]); // prettier-ignore
  });

  it('does not hold what was taken out of it', async () => {
    const ring = new Ring<object>();
    for (let n = 0; n < 100; n++) ring.push({ n });
    const taken: WeakRef<object>[] = [];
    for (let n = 0; n < 40; n++) taken.push(new WeakRef(ring.shift()!));
    await new Promise(setImmediate);
    collector()();
    expect(taken.filter((ref) => ref.deref() !== undefined)).toEqual([]);
    expect(ring.length).toBe(60);
  });
});
