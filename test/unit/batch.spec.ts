import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Batch, Turn, type TurnWriter } from '../../lib/output/batch.js';
import { nextTurn } from '../support/recording-response.js';

afterEach(() => {
  jest.restoreAllMocks();
});

describe('a batch', () => {
  it('is the text of its frames, in order, as UTF-8', () => {
    const batch = new Batch().append('data: ✓\n\n').append('data: 2\n\n');
    expect(batch.buffer.toString()).toBe('data: ✓\n\ndata: 2\n\n');
    expect([...batch.buffer.subarray(6, 9)]).toEqual([0xe2, 0x9c, 0x93]);
  });

  it('knows its size in bytes without being encoded', () => {
    const batch = new Batch().append('✓').append('a');
    expect(batch.bytes).toBe(4);
    expect(batch.buffer).toHaveLength(4);
  });

  it('is one buffer for all readers of the same frames', () => {
    const root = new Batch();
    const readers = Array.from({ length: 100 }, () =>
      ['a', 'b', 'c'].reduce((batch, frame) => batch.append(frame), root),
    );
    expect(new Set(readers).size).toBe(1);
    expect(new Set(readers.map((batch) => batch.buffer)).size).toBe(1);
  });

  it('is one buffer for each set of readers, where their frames part', () => {
    const root = new Batch();
    const some = [1, 2, 3].map(() => root.append('a'));
    const others = [1, 2, 3].map(() => root.append('a').append('b'));
    const late = [1, 2, 3].map(() => root.append('b'));
    const buffers = [...some, ...others, ...late].map((batch) => batch.buffer);
    expect(new Set(buffers).size).toBe(3);
    expect(buffers.map(String)).toEqual(['a', 'a', 'a', 'ab', 'ab', 'ab', 'b', 'b', 'b']);
  });

  it('is not changed by what others append to it', () => {
    const batch = new Batch().append('a');
    batch.append('b');
    expect(batch.buffer.toString()).toBe('a');
    expect(batch.bytes).toBe(1);
  });

  it('is encoded once, however often it is asked for', () => {
    const batch = new Batch().append('a');
    expect(batch.buffer).toBe(batch.buffer);
  });

  it('joins frames in time that grows with their number only', () => {
    let batch = new Batch();
    for (let n = 0; n < 20_000; n++) batch = batch.append(`${n}\n`);
    expect(batch.buffer.toString().split('\n')).toHaveLength(20_001);
  });
});

/** A writer that does this when it is flushed. */
const writer = (flush: () => void): TurnWriter => ({ flush, failed() {} });

describe('a turn', () => {
  it('flushes its writers once each, in the order in which they came, after the running code', async () => {
    const turn = new Turn();
    const flushed: string[] = [];
    for (const name of ['a', 'b', 'c']) turn.add(writer(() => flushed.push(name)));
    expect(flushed).toEqual([]);
    await nextTurn();
    expect(flushed).toEqual(['a', 'b', 'c']);
    await nextTurn();
    expect(flushed).toEqual(['a', 'b', 'c']);
  });

  it('flushes a writer that was added while flushing later, in a turn of its own', async () => {
    const turn = new Turn();
    const flushed: string[] = [];
    const late = writer(() => flushed.push('late'));
    turn.add(
      writer(() => {
        flushed.push('first');
        turn.add(late);
        setImmediate(() => flushed.push('other work'));
      }),
    );
    turn.add(writer(() => flushed.push('second')));
    await nextTurn();
    expect(flushed).toEqual(['first', 'second']);
    await nextTurn();
    await nextTurn();
    expect([...flushed].sort()).toEqual(['first', 'late', 'other work', 'second']);
  });

  it('lets the event loop go on after some milliseconds of writing, and loses nobody', async () => {
    const turn = new Turn();
    let clock = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => clock);
    const order: (number | string)[] = [];
    for (let n = 0; n < 300; n++) {
      turn.add(
        writer(() => {
          clock += 1;
          if (n === 0) setImmediate(() => order.push('other work'));
          order.push(n);
        }),
      );
    }
    while (order.length < 301) await nextTurn();
    expect(order.indexOf('other work')).toBeLessThan(300);
    expect(order.filter((entry) => entry !== 'other work')).toEqual(
      Array.from({ length: 300 }, (_, n) => n),
    );
  });

  it('does not pause while the writing is fast', async () => {
    const turn = new Turn();
    jest.spyOn(performance, 'now').mockReturnValue(0);
    let flushed = 0;
    for (let n = 0; n < 300; n++) turn.add(writer(() => flushed++));
    await nextTurn();
    expect(flushed).toBe(300);
  });

  it('flushes all others in the same turn when one throws, and tells that one', async () => {
    const turn = new Turn();
    const told: unknown[] = [];
    const broken = new Error('broken');
    turn.add(writer(() => told.push('first')));
    turn.add({
      flush() {
        throw broken;
      },
      failed: (error) => void told.push(error),
    });
    turn.add(writer(() => told.push('last')));
    await nextTurn();
    expect(told).toEqual(['first', broken, 'last']);
    turn.add(writer(() => told.push('next turn')));
    await nextTurn();
    expect(told.at(-1)).toBe('next turn');
  });

  it('begins a new root for each turn, so that turns share nothing', async () => {
    const turn = new Turn();
    const before = turn.root;
    turn.add(writer(() => {}));
    expect(turn.root).toBe(before);
    await nextTurn();
    expect(turn.root).not.toBe(before);
  });
});
