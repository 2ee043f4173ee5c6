import { describe, expect, it } from '@jest/globals';
import {
  formatCursor,
  joinPositions,
  markIn,
  MAX_CURSOR_LENGTH,
  nextPosition,
  parseCursors,
  withMark,
  type Cursor,
} from '../../lib/wire/cursor.js';

describe('the text of a cursor', () => {
  it.each<[Cursor, string]>([
    [{ epoch: 'a', position: 0 }, '1.a.0'],
    [{ epoch: 'Ab-_9', position: 35 }, '1.Ab-_9.z'],
    [{ epoch: 'e', position: 1_763_688_000_000_000 }, '1.e.hd6b2y4idc'],
    [{ epoch: 'e', position: Number.MAX_SAFE_INTEGER }, '1.e.2gosa7pa2gv'],
  ])('%j is %s, and back', (cursor, text) => {
    expect(formatCursor(cursor)).toBe(text);
    expect(parseCursors(text)).toEqual([cursor]);
  });

  it('may hold the cursors of several hubs', () => {
    expect(parseCursors('1.a.1~1.b.z')).toEqual([
      { epoch: 'a', position: 1 },
      { epoch: 'b', position: 35 },
    ]);
  });

  // feature: 51
  it('has only characters that are safe in a header and a URL', () => {
    expect(formatCursor({ epoch: 'Ab-_9', position: 123_456 })).toMatch(/^[A-Za-z0-9._~-]+$/);
  });
});

describe('the mark in a last event ID', () => {
  it('is its last part, and changes nothing of the cursors', () => {
    const marked = withMark('1.a.1~1.b.z', 'aBcDeF-_');
    expect(marked).toBe('1.a.1~1.b.z~s.aBcDeF-_');
    expect(parseCursors(marked)).toEqual(parseCursors('1.a.1~1.b.z'));
    expect(markIn(marked)).toBe('aBcDeF-_');
    expect(markIn('1.a.1~1.b.z')).toBeUndefined();
  });

  it('is one at most: another one takes its place', () => {
    expect(withMark('1.a.1~s.aBcDeF-_', '12345678')).toBe('1.a.1~s.12345678');
  });

  it('fits behind the cursors of five hubs with epochs of our logs', () => {
    const position = Number.MAX_SAFE_INTEGER;
    const hubs = ['a', 'b', 'c', 'd', 'e'].map((name) => name.repeat(8));
    const cursors = joinPositions(hubs.map((epoch) => ({ epoch, position, isHeld: false }))) ?? '';
    const marked = withMark(cursors, 'aBcDeF-_');
    expect(markIn(marked)).toBe('aBcDeF-_');
    expect(marked.length).toBeLessThanOrEqual(MAX_CURSOR_LENGTH);
  });

  it('is left out where it would make the cursors too long', () => {
    const cursors = Array.from({ length: 4 }, (_, n) => `1.${String(n).repeat(26)}.z`).join('~');
    expect(cursors.length + '~s.aBcDeF-_'.length).toBeGreaterThan(MAX_CURSOR_LENGTH);
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
    expect(markIn(text)).toBeUndefined();
    expect(parseCursors(text)).toBeUndefined();
  });
});

describe('a text that is no cursor', () => {
  it.each([
    ['empty', ''],
    ['some text', 'nonsense'],
    ['a number', '42'],
    ['of another version', '2.a.1'],
    ['without an epoch', '1..1'],
    ['without a position', '1.a.'],
    ['with capitals in the position', '1.a.Z'],
    ['with a leading zero, which would be a second text of one position', '1.a.01'],
    ['with a position beyond the safe integers', '1.a.zzzzzzzzzzz'],
    ['with a longer position', '1.a.100000000000'],
    ['with a negative position', '1.a.-1'],
    ['with a long epoch', `1.${'a'.repeat(33)}.1`],
    ['with something else in the epoch', '1.a b.1'],
    ['followed by a line break', '1.a.1\n'],
    ['with an empty part', '1.a.1~'],
    ['with one bad part of two', '1.a.1~x'],
    ['too long', Array.from({ length: 30 }, () => '1.a.1').join('~')],
  ])('is answered with undefined: %s', (_title, text) => {
    expect(parseCursors(text)).toBeUndefined();
  });

  it('is one that is a single character too long', () => {
    const parts = (length: number): string => {
      const list = Array.from({ length: Math.floor((length + 1) / 6) }, () => '1.a.1');
      return list.join('~').padEnd(length, '2');
    };
    expect(parts(MAX_CURSOR_LENGTH)).toHaveLength(MAX_CURSOR_LENGTH);
    expect(parseCursors(parts(MAX_CURSOR_LENGTH))).toHaveLength(21);
    expect(parseCursors(parts(MAX_CURSOR_LENGTH + 1))).toBeUndefined();
  });
});

describe('the next position', () => {
  it.each([
    ["is the clock's microseconds", 5, 2, 2_000],
    ['goes up by one while the clock stands still', 2_000, 2, 2_001],
    ['goes up by one when the clock went back', 2_000, 1, 2_001],
    ['drops what is less than a microsecond', 0, 1.234_567_8, 1_234],
  ])('%s', (_title, last, clockMs, next) => {
    expect(nextPosition(last, clockMs)).toBe(next);
  });
});
