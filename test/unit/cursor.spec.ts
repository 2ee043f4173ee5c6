import { describe, expect, it } from '@jest/globals';
import { formatCursor, nextPosition, parseCursor, type Cursor } from '../../lib/wire/cursor.js';

describe('the text of a cursor', () => {
  it.each<[Cursor, string]>([
    [{ epoch: 'a', position: 0 }, '1.a.0'],
    [{ epoch: 'Ab-_9', position: 35 }, '1.Ab-_9.z'],
    [{ epoch: 'e', position: 1_763_688_000_000_000 }, '1.e.hd6b2y4idc'],
    [{ epoch: 'e', position: Number.MAX_SAFE_INTEGER }, '1.e.2gosa7pa2gv'],
  ])('%j is %s, and back', (cursor, text) => {
    expect(formatCursor(cursor)).toBe(text);
    expect(parseCursor(text)).toEqual(cursor);
  });

  // feature: 51
  it('has only characters that are safe in a header and a URL', () => {
    expect(formatCursor({ epoch: 'Ab-_9', position: 123_456 })).toMatch(/^[A-Za-z0-9._~-]+$/);
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
    ['of several hubs', '1.a.1~1.b.1'],
    ['with a mark', '1.a.1~s.aBcDeF-_'],
  ])('is answered with undefined: %s', (_title, text) => {
    expect(parseCursor(text)).toBeUndefined();
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
