import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { formatCursor } from '../../lib/wire/cursor.js';
import {
  formatTail,
  joinPositions,
  MAX_LAST_EVENT_ID_LENGTH,
  MAX_ID_PREFIX_LENGTH,
  parseLastEventId,
  parsePrefixed,
  withMark,
  type ReaderPosition,
} from '../../lib/wire/last-event-id.js';

const notOurs = (text: string) => ({ text, cursors: [], mark: undefined });

describe('a last event ID', () => {
  it('may hold the cursors of several hubs', () => {
    const text = '1.a.1~1.b.z';
    const cursors = [
      { epoch: 'a', position: 1 },
      { epoch: 'b', position: 35 },
    ];
    expect(parseLastEventId(text)).toEqual({ text, cursors, mark: undefined });
  });

  it.each([
    ['empty', ''],
    ["the app's own", '42'],
    ['with an empty part', '1.a.1~'],
    ['with one bad part of two', '1.a.1~x'],
    ['too long', Array.from({ length: 30 }, () => '1.a.1').join('~')],
  ])('holds no cursors if it is %s', (_title, text) => {
    expect(parseLastEventId(text)).toEqual(notOurs(text));
  });

  it('holds none if it is a single character too long', () => {
    const parts = (length: number): string => {
      const list = Array.from({ length: Math.floor((length + 1) / 6) }, () => '1.a.1');
      return list.join('~').padEnd(length, '2');
    };
    expect(parts(MAX_LAST_EVENT_ID_LENGTH)).toHaveLength(MAX_LAST_EVENT_ID_LENGTH);
    expect(parseLastEventId(parts(MAX_LAST_EVENT_ID_LENGTH)).cursors).toHaveLength(21);
    expect(parseLastEventId(parts(MAX_LAST_EVENT_ID_LENGTH + 1)).cursors).toEqual([]);
  });
});

describe('what an id says after its cursors', () => {
  const joining = { cursor: { epoch: 'abcdefgh', position: 46_655 }, cover: 'ABCDEFGH' };
  const key = 'abcdefghijklmnop';

  it.each([
    ['rooms that join', { joining }],
    ['which rooms it is about', { cover: 'abcde12345' }],
    ['up to where they may have lost events', { cover: 'abcde', lostUpTo: 1_700_000_000_000_000 }],
    ['the key of the stream', { cover: 'abcde', key }],
    ['all of that', { joining, cover: 'abcde', lostUpTo: 1, key, hasChanged: true }],
  ])('is %s', (_what, tail) => {
    const text = `1.a.1${formatTail(tail)}`;
    const { cursors, tail: parsed } = parseLastEventId(text);
    expect(cursors).toEqual([{ epoch: 'a', position: 1 }]);
    expect(parsed).toEqual({ hasChanged: false, ...tail });
    expect(parseLastEventId(withMark(text, 'aBcDeF-_')).tail).toEqual(parsed);
  });

  it('fits behind the cursor of a log of ours', () => {
    // Until 2085.
    const position = 36 ** 10 - 1;
    const cover = 'abcde'.repeat(8);
    const cursor = { epoch: 'abcdefgh', position };
    const all = { joining: { ...joining, cursor }, cover, lostUpTo: position, key };
    const text = `${formatCursor(cursor)}${formatTail(all)}`;
    expect(text.length).toBeLessThanOrEqual(MAX_LAST_EVENT_ID_LENGTH);
    expect(parseLastEventId(text).tail).toEqual({ ...all, hasChanged: false });
  });
});

describe('the mark in a last event ID', () => {
  it('is its last part, and changes nothing of the cursors', () => {
    const marked = withMark('1.a.1~1.b.z', 'aBcDeF-_');
    expect(marked).toBe('1.a.1~1.b.z~s.aBcDeF-_');
    const plain = parseLastEventId('1.a.1~1.b.z');
    expect(plain.mark).toBeUndefined();
    expect(parseLastEventId(marked)).toEqual({ ...plain, text: marked, mark: 'aBcDeF-_' });
  });

  it('is one at most: another one takes its place', () => {
    expect(withMark('1.a.1~s.aBcDeF-_', '12345678')).toBe('1.a.1~s.12345678');
  });

  it('fits behind the cursors of five hubs with epochs of our logs', () => {
    const position = Number.MAX_SAFE_INTEGER;
    const hubs = ['a', 'b', 'c', 'd', 'e'].map((name) => name.repeat(8));
    const cursors = joinPositions(hubs.map((epoch) => ({ epoch, position, isHeld: false }))) ?? '';
    const marked = withMark(cursors, 'aBcDeF-_');
    expect(parseLastEventId(marked).mark).toBe('aBcDeF-_');
    expect(marked.length).toBeLessThanOrEqual(MAX_LAST_EVENT_ID_LENGTH);
  });

  it('is left out where it would make the cursors too long', () => {
    const cursors = Array.from({ length: 4 }, (_, n) => `1.${String(n).repeat(26)}.z`).join('~');
    expect(cursors.length + '~s.aBcDeF-_'.length).toBeGreaterThan(MAX_LAST_EVENT_ID_LENGTH);
    expect(withMark(cursors, 'aBcDeF-_')).toBe(cursors);
  });

  it.each([
    ['too short', '1.a.1~s.aBcDeF-'],
    ['too long', '1.a.1~s.aBcDeF-_1'],
    ['with other characters', '1.a.1~s.aBcDeF-+'],
    ['before the cursors', 's.aBcDeF-_~1.a.1'],
    ['there twice', '1.a.1~s.aBcDeF-_~s.aBcDeF-_'],
    ['alone', 's.aBcDeF-_'],
    ['alone behind the separator', '~s.aBcDeF-_'],
    ["in an id of the app's own", 'order 7~s.aBcDeF-_'],
  ])('is none that is %s', (_title, text) => {
    expect(parseLastEventId(text)).toEqual(notOurs(text));
  });
});

describe('one last event ID for several streams', () => {
  const at = (epoch: string, position: number | undefined, isHeld = false): ReaderPosition => ({
    epoch,
    position,
    isHeld,
  });
  it.each<[string, ReaderPosition[], string | undefined]>([
    ['none', [], undefined],
    ['one', [at('a', 35)], '1.a.z'],
    ['two hubs', [at('a', 35), at('b', 36)], '1.a.z~1.b.10'],
    ['one hub twice: the further one', [at('a', 34), at('a', 35)], '1.a.z'],
    ['one that holds back', [at('a', 34, true), at('a', 35)], '1.a.y'],
    ['two that hold back', [at('a', 34, true), at('a', 33, true)], '1.a.x'],
    ['one that does not know yet', [at('a', undefined, true), at('a', 35)], undefined],
    ['one hub that does not know yet', [at('a', undefined, true), at('b', 36)], '1.b.10'],
  ])('%s', (_title, streams, text) => {
    expect(joinPositions(streams)).toBe(text);
    expect(parseLastEventId(text ?? '1.a.0').cursors).not.toEqual([]);
  });
});

describe('a last event ID with a prefix', () => {
  const epoch = fc.stringMatching(/^[\w-]{8}$/);
  const position = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  const prefix = fc.stringMatching(new RegExp(`^[!-~]{1,${MAX_ID_PREFIX_LENGTH}}$`));
  const mark = fc.stringMatching(/^[\w-]{8}$/);

  it('gives back what was written, within the limit, for any prefix and two hubs', () => {
    fc.assert(
      fc.property(prefix, epoch, epoch, position, position, mark, (before, a, b, at, too, by) => {
        fc.pre(a !== b);
        const cursors = [
          { epoch: a, position: at },
          { epoch: b, position: too },
        ];
        const text = joinPositions(cursors.map((cursor) => ({ ...cursor, isHeld: false }))) ?? '';
        const id = withMark(before + text, by);
        expect(id.length).toBeLessThanOrEqual(MAX_LAST_EVENT_ID_LENGTH);
        expect(parsePrefixed(id, before)).toEqual({ text: id, cursors, mark: by });
      }),
    );
  });

  it('is not ours without it, whatever else it is', () => {
    fc.assert(
      fc.property(prefix, fc.oneof(fc.string(), prefix, fc.constant('1.a.1')), (before, text) => {
        fc.pre(!text.startsWith(before));
        expect(parsePrefixed(text, before)).toEqual(notOurs(text));
      }),
    );
  });
});
