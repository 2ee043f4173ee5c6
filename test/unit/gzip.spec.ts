import { describe, expect, it } from '@jest/globals';
import { crc32 } from 'node:zlib';
import { acceptsGzip } from '../../lib/output/accept-encoding.js';
import { Batch } from '../../lib/output/batch.js';
import { combined, shiftOf } from '../../lib/output/crc.js';
import { withVary } from '../../lib/output/stream-headers.js';
import { encoderOf } from '../support/gzip-encoder.js';

const settings = { level: 6, windowBytes: 4_096 };

const eventOf = (n: number): string =>
  `event: price\ndata: ${JSON.stringify({ symbol: 'ACME', price: 4_200 + ((n * 37) % 91), volume: 9_000 + n * 13 })}\nid: 1.x818qFrq.${n}\n\n`;

/** The batch of so many readers of the same frames. */
function shared(readers: number, ...frames: string[]): Batch {
  const root = new Batch();
  const all = Array.from({ length: readers }, () =>
    frames.reduce((batch, frame) => batch.append(frame, true), root),
  );
  return all[0]!;
}

describe('blocks', () => {
  // feature: 81
  it('are made once for a thousand readers', () => {
    const encoders = Array.from({ length: 1_000 }, () => encoderOf(settings));
    for (const [n, encoder] of encoders.entries()) encoder.next(Batch.of(`retry: ${n}\n\n`));
    for (let n = 0; n < 10; n++) {
      const batch = shared(1_000, eventOf(n));
      const pieces = encoders.map((encoder) => encoder.next(batch));
      expect(new Set(pieces.map(({ buffer }) => buffer)).size).toBe(1);
      expect(new Set(pieces.map(({ chunk }) => chunk)).size).toBe(1);
    }
  });

  it('are shared again by readers that came at different times', () => {
    const encoders = [encoderOf(settings)];
    encoders[0]!.next(Batch.of('retry: 1\n\n'));
    let most = 0;
    for (let n = 0; n < 100; n++) {
      const newcomer = encoderOf(settings);
      newcomer.next(Batch.of('retry: 1\n\n'));
      encoders.push(newcomer);
      const batch = shared(encoders.length, eventOf(n));
      most = Math.max(most, new Set(encoders.map((each) => each.next(batch).buffer)).size);
    }
    // One for each power of two from 64 to 4096, and one without a window.
    expect(most).toBeLessThanOrEqual(8);
    const batch = shared(encoders.length, ...Array.from({ length: 60 }, (_, n) => eventOf(n)));
    for (const each of encoders) each.next(batch);
    const next = shared(encoders.length, eventOf(200));
    expect(new Set(encoders.map((each) => each.next(next).buffer)).size).toBe(1);
  });

  it('are shared by readers of one room, beside readers of two', () => {
    const encoders = Array.from({ length: 6 }, () => encoderOf(settings));
    for (const each of encoders) each.next(Batch.of('retry: 1\n\n'));
    const [ofBoth, ofOne] = [encoders.slice(0, 3), encoders.slice(3)];
    for (let n = 0; n < 50; n++) {
      const root = new Batch();
      const batches = encoders.map((each) =>
        ofBoth.includes(each)
          ? root.append(eventOf(n)).append('data: other\n\n')
          : root.append(eventOf(n)),
      );
      const pieces = encoders.map((each, index) => each.next(batches[index]!).buffer);
      expect(new Set(pieces.slice(0, 3)).size).toBe(1);
      expect(new Set(pieces.slice(3)).size).toBe(1);
    }
    expect(ofOne).toHaveLength(3);
  });

  it('are much smaller with a window', () => {
    const [windowed, alone] = [settings, { ...settings, windowBytes: 0 }].map((each) => {
      const encoder = encoderOf(each);
      return Array.from({ length: 50 }, (_, n) => encoder.next(shared(2, eventOf(n))).bytes);
    });
    expect(windowed!.at(-1)).toBeLessThan(alone!.at(-1)! / 2);
  });

  it('of one reader refer to what it got before', () => {
    const encoder = encoderOf(settings);
    encoder.next(Batch.of('retry: 1\n\n'));
    const sizes = [0, 1, 2].map((n) => encoder.next(Batch.of(eventOf(n), 1)).bytes);
    expect(sizes[2]).toBeLessThan(sizes[0]! / 2);
  });

  it('of one reader hold no text after a keep-alive', () => {
    const encoder = encoderOf(settings);
    encoder.next(Batch.of('retry: 1\n\n'));
    const [first] = [encoder.next(Batch.of(eventOf(0), 1)).bytes];
    encoder.next(Batch.of(': keep-alive\n\n'));
    expect(encoder.next(Batch.of(eventOf(0), 1)).bytes).toBe(first);
  });
});

describe('the CRC of two texts', () => {
  it.each([
    ['', ''],
    ['a', ''],
    ['', 'b'],
    ['data: 1\n\n', 'data: 2\n\n'],
    ['x'.repeat(70_000), '✓'.repeat(50_000)],
  ])('is that of both together (%#)', (first, second) => {
    const bytes = Buffer.from(second);
    const both = combined(crc32(first) | 0, crc32(bytes) | 0, shiftOf(bytes.length));
    expect(both >>> 0).toBe(crc32(first + second));
  });

  it('may be that of many bytes', () => {
    // The shift of n bytes and then of m bytes is that of n + m.
    for (const [n, m] of [
      [1, 2],
      [2 ** 30, 12_345],
      [2 ** 31 - 1, 0],
    ] as const) {
      const shifted = combined(combined(0x12345678, 0, shiftOf(n)), 0, shiftOf(m));
      expect(combined(0x12345678, 0, shiftOf(n + m))).toBe(shifted);
    }
  });
});

describe('Accept-Encoding', () => {
  // feature: 81
  it.each([
    [undefined, false],
    ['', false],
    ['gzip', true],
    ['GZIP', true],
    ['x-gzip', true],
    ['gzip, deflate, br, zstd', true],
    ['deflate, br', false],
    ['*', true],
    ['gzip;q=0', false],
    ['gzip;q=0.0, *', false],
    ['gzip; q=0.001', true],
    ['br;q=1.0, gzip;q=0.8, *;q=0.1', true],
    ['*;q=0', false],
    ['*;q=0, gzip', true],
    ['identity', false],
    ['identity, gzip', true],
    ['identity;q=1, gzip;q=0.5', false],
    ['identity;q=0.5, gzip;q=1', true],
    ['identity;q=0', false],
    ['gzip;q=nonsense', false],
    ['gzip;q=', false],
    [';q=1', false],
    ['gzippy', false],
  ])('%j allows gzip: %j', (header, expected) => {
    expect(acceptsGzip(header)).toBe(expected);
  });
});

describe('Vary', () => {
  it.each([
    [{}, { Vary: 'Accept-Encoding' }],
    [{ vary: 'Origin' }, { Vary: 'Origin, Accept-Encoding' }],
    [{ Vary: ['Origin', 'Accept'] }, { Vary: 'Origin, Accept, Accept-Encoding' }],
    [{ Vary: 'accept-encoding' }, { Vary: 'accept-encoding' }],
    [{ Vary: '*' }, { Vary: '*' }],
  ])('of %j becomes %j', (before, after) => {
    expect(withVary(before, 'Accept-Encoding')).toEqual(after);
  });
});
