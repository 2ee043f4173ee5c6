// How much a client takes in before it gives a stream up.
import { describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import type { ConnectOptions } from 'nestjs-eventstream/client';
import { Parser } from '../../lib/wire/parser.js';
import { until } from '../support/until.js';
import { answer, collect, open, streamOf } from './support.js';

const KIB = 1_024;
const MIB = KIB * KIB;

/** An answer: this text again and again, for ever. */
const endless =
  (first: string, text: string) =>
  (response: ServerResponse): void => {
    streamOf(first)(response);
    const more = (): void => {
      while (response.write(text));
    };
    response.on('drain', more);
    more();
  };

describe('a stream', () => {
  // feature: 94
  it.each([
    ['a line that does not end', 'data: ', 'x'.repeat(KIB)],
    ['a comment that does not end', ': ', 'x'.repeat(KIB)],
    ['lines of data without a blank one', '', `data: ${'x'.repeat(KIB)}\n`],
    ['lines of data that are empty', '', 'data\n'.repeat(KIB)],
  ])('of %s is given up for good', async (_what, first, text) => {
    const { url, requests } = await answer(endless(`id: 7\ndata: 1\n\n${first}`, text));
    const stream = open(url);
    const got = collect(stream);
    const { error } = await stream.closed;
    expect(error).toMatchObject({ code: 'SSE_DATA', isFinal: true });
    expect(error?.message).toBe(
      'a line or an event is longer than maxEventBytes (8388608); raise it, or check the URL and the proxies',
    );
    // What came before it counts.
    expect(got).toEqual([{ type: 'message', data: 1, id: '7' }]);
    expect(stream.lastEventId).toBe('7');
    await until('the server sees it', () => requests[0]?.socket.destroyed);
    expect(requests.length).toBe(1);
  });

  it.each<[string, string, number]>([
    ['an event of one line', 'data: 45678\n\n', 11],
    ['an event of several lines', 'data: 45678\ndata: 7890\n\n', 21],
    ['letters of several bytes', 'data: €😀\n\n', 13],
    ['a type', 'event: 8901\ndata: a\n\n', 11],
    ['an id', 'id: 5678901\ndata: a\n\n', 11],
    ['a comment', ': 345678901\ndata: a\n\n', 11],
    ['an unknown field', 'x: 45678901\ndata: a\n\n', 11],
  ])('takes %s of just that size, and none of one byte more', async (_what, text, bytes) => {
    for (const [cut, chunks] of [
      ['whole', [text]],
      ['in pieces', Array.from(text)],
    ] as const) {
      const parse = (maxBytes: number): unknown[] => {
        const parser = new Parser((size) => {
          if (size > maxBytes) throw new Error('too long');
        });
        return chunks.flatMap((chunk) => [...parser.feed(chunk)]);
      };
      expect([cut, parse(bytes).length]).toEqual([cut, 1]);
      expect(() => parse(bytes - 1)).toThrow('too long');
    }
  });

  it('hands over the events before one that is too large, also of the same bytes', async () => {
    const { url } = await answer(streamOf(`data: 1\n\ndata: 2\n\ndata: ${'x'.repeat(100)}\n\n`));
    const stream = open(url, { maxEventBytes: 100 });
    const got = collect(stream);
    expect(await stream.closed).toMatchObject({ error: { code: 'SSE_DATA' } });
    expect(got.map(({ data }) => data)).toEqual([1, 2]);
  });

  it('counts each event for itself', async () => {
    const { url } = await answer(streamOf('data: 12345\n: a comment\n\n'.repeat(1_000)));
    const got = collect(open(url, { maxEventBytes: 11 }));
    await until('all events', () => got.length === 1_000);
    expect(got.at(-1)?.data).toBe(12345);
  });

  it('without a bound takes more', async () => {
    const size = 9 * MIB;
    const { url } = await answer((response) => {
      streamOf(`data: ${'x'.repeat(size)}\n\n`)(response);
    });
    const got = collect(open(url, { maxEventBytes: false }));
    await until('the event', () => got.length === 1);
    expect(String(got[0]?.data).length).toBe(size);
  });
});

describe('the parser', () => {
  /** The milliseconds of the quickest of three runs. */
  const quickest = (run: () => unknown): number =>
    Math.min(
      ...[1, 2, 3].map(() => {
        const at = performance.now();
        run();
        return performance.now() - at;
      }),
    );
  const parse = (chunk: string, count: number): unknown[] => {
    const parser = new Parser();
    const blocks: unknown[] = [];
    for (let index = 0; index < count; index++) blocks.push(...parser.feed(chunk));
    blocks.push(...parser.feed('\n\n'));
    return blocks;
  };

  it.each([
    ['a line in small chunks', `data: ${'x'.repeat(KIB - 6)}`, 16 * KIB],
    ['a line letter by letter', 'data: ', 256 * KIB],
    ['many lines of data', 'data: x\n', 256 * KIB],
  ])('takes %s in a time that grows with their number alone', (_what, chunk, count) => {
    expect(parse(chunk, count).length).toBe(1);
    const [quarter, whole] = [count / 4, count].map((of) => quickest(() => parse(chunk, of)));
    // Four times the work; were it quadratic, sixteen.
    expect(whole! / quarter!).toBeLessThan(10);
  });
});

describe('maxEventBytes', () => {
  it.each([0, -1, 1.5, '1', Infinity])('of %p is refused at once', (maxEventBytes) => {
    const options = { maxEventBytes } as ConnectOptions;
    expect(() => open('http://nowhere.invalid/', options)).toThrow(
      `maxEventBytes: expected whole bytes from 1 to ${Number.MAX_SAFE_INTEGER}, got ${maxEventBytes}`,
    );
  });
});
