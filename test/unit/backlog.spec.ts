import { describe, expect, it } from '@jest/globals';
import { createParser } from 'eventsource-parser';
import * as fc from 'fast-check';
import { Backlog, type Overflow, type Pushed, type Waiting } from '../../lib/output/backlog.js';
import { joinableOf, joinText, type JoinData } from '../../lib/output/joinable.js';
import { encodeFrame } from '../../lib/wire/frame.js';
import { heapOf } from '../support/collector.js';

/** Frames of ten bytes each, named by a digit. */
const frame = (n: number): string => `data: ${n % 10}\n\n\n`.slice(0, 10);
const gap = (...rooms: string[]): string =>
  `event: sse-gap\ndata: ${JSON.stringify({ rooms, reason: 'overflow' })}\n\n`;
const open = (overflow: Overflow, frames = 3): Backlog =>
  new Backlog({ overflow, maxBufferedBytes: frames * 10 }, 'aBcDeF-_');
const take = (backlog: Backlog, maxBytes = Infinity): string =>
  backlog.take(maxBytes).buffer.toString();
const fill = (backlog: Backlog, count: number, keys = count): Pushed[] =>
  Array.from({ length: count }, (_, n) =>
    backlog.push({ frame: frame(n), rooms: [`room ${n % 2}`], key: `key ${n % keys}` }),
  );

describe('a backlog beyond its limit', () => {
  it('answers that the client has to go, with disconnect', () => {
    const backlog = open('disconnect');
    expect(fill(backlog, 4)).toEqual([0, 0, 0, 'overflow']);
  });

  it('leaves out the oldest and says so before what follows, with drop-oldest', () => {
    const backlog = open('drop-oldest');
    expect(fill(backlog, 5)).toEqual([0, 0, 0, 1, 1]);
    expect(take(backlog)).toBe(gap('room 0', 'room 1') + frame(2) + frame(3) + frame(4));
    expect([backlog.bytes, backlog.isEmpty]).toEqual([0, true]);
  });

  it('leaves out the newest and says so where they would have been, with drop-newest', () => {
    const backlog = open('drop-newest');
    expect(fill(backlog, 4)).toEqual([0, 0, 0, 1]);
    expect(take(backlog, 20)).toBe(frame(0) + frame(1));
    expect(backlog.push({ frame: frame(8), rooms: ['room 0'] })).toBe(0);
    expect(take(backlog)).toBe(frame(2) + gap('room 1') + frame(8));
  });

  it('says so also when nothing follows, with drop-newest', () => {
    const backlog = open('drop-newest');
    fill(backlog, 5);
    expect(backlog.isEmpty).toBe(false);
    expect(take(backlog)).toBe(frame(0) + frame(1) + frame(2) + gap('room 1', 'room 0'));
    expect(backlog.isEmpty).toBe(true);
  });

  it('tells what it leaves out in other words, where it would have been', () => {
    const settings = { overflow: 'drop-newest' as const, maxBufferedBytes: 30 };
    const backlog = new Backlog(settings, 'aBcDeF-_', ({ rooms }) => `: ${rooms.join()}\n\n`);
    fill(backlog, 5);
    expect(take(backlog, 20)).toBe(frame(0) + frame(1));
    backlog.push({ frame: frame(8), rooms: ['room 0'] });
    expect(take(backlog)).toBe(`${frame(2)}: room 1,room 0\n\n${frame(8)}`);
  });

  it.each<[Overflow, string]>([
    ['drop-oldest', ''],
    ['drop-newest', frame(0) + frame(1) + frame(2)],
    ['conflate', ''],
  ])('gives nothing from a gap on that cannot be told, with %s', (overflow, before) => {
    const settings = { overflow, maxBufferedBytes: 30 };
    const backlog = new Backlog(settings, 'aBcDeF-_', () => undefined);
    fill(backlog, 5, 2);
    backlog.pushLast({ frame: frame(9) });
    expect([take(backlog), backlog.isCut, backlog.isEmpty]).toEqual([before, true, true]);
    expect([...backlog.takeAll(10)]).toEqual([]);
  });

  it('keeps the latest of each key, in the order of the latest, with conflate', () => {
    const backlog = open('conflate', 10);
    expect(fill(backlog, 7, 3)).toEqual([0, 0, 0, 1, 1, 1, 1]);
    expect(take(backlog)).toBe(gap('room 0', 'room 1') + frame(4) + frame(5) + frame(6));
  });

  it.each(['disconnect', 'drop-oldest', 'drop-newest', 'conflate'] as const)(
    'lets one event wait that is larger than the limit, with %s',
    (overflow) => {
      const backlog = open(overflow);
      const large = `data: ${'x'.repeat(100)}\n\n`;
      expect(backlog.push({ frame: large, rooms: ['a'], key: 'a' })).toBe(0);
      expect(take(backlog)).toBe(large);
    },
  );

  it.each(['drop-oldest', 'conflate'] as const)(
    'keeps the newest event alone where it is larger than the limit, with %s',
    (overflow) => {
      const backlog = open(overflow);
      fill(backlog, 2);
      const large = `data: ${'x'.repeat(100)}\n\n`;
      backlog.push({ frame: large, rooms: ['a'], key: 'a' });
      expect(take(backlog)).toBe(gap('room 0', 'room 1') + large);
    },
  );

  it('counts small frames by their number too, of which a small limit has a thousand', () => {
    const backlog = new Backlog({ overflow: 'disconnect', maxBufferedBytes: 65_536 }, 'aBcDeF-_');
    expect(fill(backlog, 1_001).slice(-2)).toEqual([0, 'overflow']);
    const larger = new Backlog(
      { overflow: 'drop-oldest', maxBufferedBytes: 2_560_000 },
      'aBcDeF-_',
    );
    expect(fill(larger, 10_001).slice(-2)).toEqual([0, 1]);
  });

  it('takes what the connection ends with, and leaves nothing out for it', () => {
    for (const overflow of ['disconnect', 'drop-oldest', 'drop-newest', 'conflate'] as const) {
      const backlog = open(overflow);
      fill(backlog, 3);
      backlog.pushLast({ frame: 'retry: 1\n\n' });
      expect(take(backlog)).toBe(`${frame(0)}${frame(1)}${frame(2)}retry: 1\n\n`);
    }
  });

  it('never leaves out what has no rooms, such as a word about a gap', () => {
    for (const overflow of ['drop-oldest', 'drop-newest', 'conflate'] as const) {
      const backlog = open(overflow);
      backlog.push({ frame: frame(0) });
      fill(backlog, 9);
      backlog.push({ frame: frame(9) });
      const text = take(backlog);
      expect(text).toContain(frame(0));
      expect(text.endsWith(frame(9))).toBe(true);
    }
  });

  it('accounts for every event, whatever comes and is taken', () => {
    const policy = fc.constantFrom<Overflow>('drop-oldest', 'drop-newest', 'conflate');
    const steps = fc.array(
      fc.oneof(fc.record({ key: fc.nat(4) }), fc.record({ take: fc.nat(40) })),
    );
    fc.assert(
      fc.property(policy, steps, (overflow, list) => {
        const backlog = open(overflow, 5);
        let pushed = 0;
        let left = 0;
        let text = '';
        for (const step of list) {
          if ('take' in step) text += take(backlog, step.take);
          else {
            const waiting = { frame: frame(pushed++), rooms: ['a'], key: String(step.key) };
            left += Number(backlog.push(waiting));
          }
          expect(backlog.bytes).toBeLessThanOrEqual(50);
        }
        text += take(backlog);
        const sent = text.split(/data: \d\n/).length - 1;
        expect(sent + left).toBe(pushed);
        expect(text.includes('sse-gap')).toBe(left > 0);
        expect([backlog.isEmpty, backlog.bytes]).toEqual([true, 0]);
      }),
    );
  });
});

/** Text and other data, as a stream pushes them with `append`. */
const piece = (data: unknown, n: number, join: JoinData = joinText, type?: string): Waiting => {
  const message = { ...(type !== undefined && { type }), data, id: n };
  const settings = { conflateKey: () => '', joinData: join, serialize: undefined };
  const text = encodeFrame(message);
  return { frame: text, rooms: ['a'], joinable: joinableOf(text, message, n, settings) };
};
const bytesOf = (text: string): number => Buffer.byteLength(text);

describe("a backlog with 'append'", () => {
  it('makes neighbours of one type one, with the id of the later', () => {
    const backlog = open('append', 100);
    backlog.push(piece('Hel', 1));
    backlog.push(piece('lo\n', 2));
    backlog.push(piece('you', 3));
    backlog.push(piece('!', 4, joinText, 'mark'));
    backlog.push(piece('?', 5));
    const text =
      'data: Hello\ndata: you\nid: 3\n\nevent: mark\ndata: !\nid: 4\n\ndata: ?\nid: 5\n\n';
    expect(backlog.bytes).toBe(bytesOf(text));
    expect(take(backlog)).toBe(text);
    expect([backlog.isEmpty, backlog.bytes]).toEqual([true, 0]);
  });

  it('keeps apart what cannot be one text, or has more than a type, data and an id', () => {
    const backlog = open('append', 100);
    const message = { data: 'b', retry: 5, id: 2 };
    const settings = { conflateKey: () => '', joinData: joinText, serialize: undefined };
    const text = encodeFrame(message);
    const all = [piece({ a: 1 }, 0), piece({ a: 2 }, 1), piece('a', 2)];
    all.push({ frame: text, rooms: [], joinable: joinableOf(text, message, 2, settings) });
    all.push({ frame: ': keep-alive\n\n' }, piece('c', 3));
    for (const each of all) backlog.push(each);
    expect(take(backlog)).toBe(all.map((each) => each.frame).join(''));
  });

  it('joins other data as the app says', () => {
    const backlog = open('append', 100);
    const join = (a: { t: string }, b: { t: string }): unknown => ({ t: a.t + b.t });
    for (const [n, t] of ['x', 'y', 'z'].entries()) backlog.push(piece({ t }, n, join as JoinData));
    expect(take(backlog)).toBe('data: {"t":"xyz"}\nid: 2\n\n');
  });

  it('counts what it holds before it says that the client has to go', () => {
    const backlog = new Backlog({ overflow: 'append', maxBufferedBytes: 1_000 }, 'aBcDeF-_');
    const join = (a: { t: string }, b: { t: string }): unknown => ({ t: a.t + b.t });
    let count = 0;
    while (backlog.push(piece({ t: 'x' }, count, join as JoinData)) === 0) count++;
    // Each of these frames has 20 bytes or more by itself.
    expect(count).toBeGreaterThan(950);
    expect(count).toBeLessThan(1_000);
  });

  it('takes memory for the text, and not for each of its pieces', async () => {
    const backlog = new Backlog({ overflow: 'append', maxBufferedBytes: 1e9 }, 'aBcDeF-_');
    const bytes = await heapOf(async () => {
      for (let n = 0; n < 100_000; n++) backlog.push(piece(`${n % 10}`, n));
    });
    expect(backlog.bytes).toBeGreaterThan(100_000);
    expect(bytes).toBeLessThan(500_000);
    expect(take(backlog)).toContain('0123456789');
  });

  it('gives all of each text, in order, whatever comes and is taken', () => {
    const step = fc.oneof(
      fc.record({ text: fc.string(), type: fc.constantFrom('a', 'b') }),
      fc.record({ take: fc.nat(60) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const backlog = open('append', 1e6);
        let text = '';
        const expected = { a: '', b: '' };
        for (const [n, each] of steps.entries()) {
          if ('take' in each) text += take(backlog, each.take);
          else {
            backlog.push(piece(each.text, n, joinText, each.type));
            expected[each.type] += each.text;
          }
          expect(backlog.bytes).toBeGreaterThanOrEqual(0);
        }
        text += take(backlog);
        const got = { a: '', b: '' };
        const ids: number[] = [];
        const parser = createParser({
          onEvent: ({ event, data, id }) => {
            got[event as 'a' | 'b'] += data;
            ids.push(Number(id));
          },
        });
        parser.feed(text);
        expect(got).toEqual({ a: lines(expected.a), b: lines(expected.b) });
        expect(ids).toEqual([...ids].sort((one, other) => one - other));
        expect([backlog.isEmpty, backlog.bytes]).toEqual([true, 0]);
      }),
    );
  });
});

/** As an event stream carries it: with one kind of line break. */
const lines = (text: string): string => text.replaceAll(/\r\n?/g, '\n');

describe('what has waited', () => {
  const mark = (text: string): string => {
    const backlog = open('disconnect', 100);
    backlog.push({ frame: text, rooms: ['a'], cursor: '1.e.z' });
    return take(backlog);
  };

  it.each([
    ['alone', 'id: 1.e.z\n\n', 'id: 1.e.z~s.aBcDeF-_\n\n'],
    [
      'after other fields',
      'event: n\nretry: 5\ndata: 1\nid: 1.e.z\n\n',
      'event: n\nretry: 5\ndata: 1\nid: 1.e.z~s.aBcDeF-_\n\n',
    ],
    [
      'and nowhere else, whatever comments, type and data say',
      ': id: 1.e.z\nevent: \u2028id: 1.e.z\ndata: id: 1.e.z\nid: 1.e.z\n\n',
      ': id: 1.e.z\nevent: \u2028id: 1.e.z\ndata: id: 1.e.z\nid: 1.e.z~s.aBcDeF-_\n\n',
    ],
  ])('has the mark of its client in its id, %s', (_title, before, after) => {
    expect(mark(before)).toBe(after);
  });

  it("is as it was where its id is the app's own", () => {
    const backlog = open('disconnect', 100);
    const own = 'data: 1\nid: 1.2.3\n\n';
    backlog.push({ frame: own, rooms: [] });
    expect(take(backlog)).toBe(own);
  });
});
