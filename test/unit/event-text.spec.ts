import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { encodeBody, type SseMessage } from '../../lib/wire/frame.js';
import { decodeEvent as decode, encodeEvent } from '../../lib/log/event-text.js';

const decodeEvent = (text: string) => {
  const { rooms, message, body } = decode('epoch', 1, text)!;
  return { rooms, message, body };
};
const roundTrip = (message: SseMessage, rooms: readonly string[] = ['a']) =>
  decodeEvent(encodeEvent({ rooms, message, body: encodeBody(message) }, false));

describe('an event as Redis keeps it', () => {
  it('comes back as it was, whatever is in it', () => {
    const line = fc.string({ unit: 'grapheme' }).filter((text) => !/[\r\n\0]/.test(text));
    const message = fc
      .record(
        {
          data: fc.oneof(fc.string({ unit: 'grapheme' }), fc.jsonValue({ noUnicodeString: false })),
          type: line,
          retry: fc.nat(),
          comment: fc.oneof(line, fc.array(line, { minLength: 1 })),
        },
        { requiredKeys: ['data'] },
      )
      // JSON knows no negative zero.
      .map((value) => JSON.parse(JSON.stringify(value)) as SseMessage);
    const rooms = fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 1 });
    fc.assert(
      fc.property(message, rooms, (each, names) => {
        expect(roundTrip(each, names)).toEqual({
          rooms: names,
          message: each,
          body: encodeBody(each),
        });
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['bytes', { data: Buffer.from([0, 255, 10]) }],
    ['no data', { comment: ['c'], retry: 5 }],
    ['fields in the data', { data: 'x\nretry: 7\ndata: y\n\nevent: z' }],
    ['a comment of several lines', { comment: 'a\nb\r\nc', data: 1 }],
    ['comments of several lines', { comment: ['a\nb', 'c'], data: 'x\ry' }],
    ['an empty list of comments', { comment: [], data: 1 }],
    ['a retry and data of several lines', { type: 't', retry: 5, data: 'x\nretry: 7' }],
    ['a comment with a field behind a separator', { comment: ['a\u2028retry: 7'], data: 1 }],
    ['a comment like a field', { comment: ['event: x', 'data: y'], data: 1 }],
  ])('keeps %s', (_what, message) => {
    expect(roundTrip(message).message).toEqual(message);
  });

  it.each([
    ['nothing else', { data: 1 }],
    ['data beside the text', { data: 'x\ry' }],
    ['a comment', { data: 1, comment: 'a\nb' }],
    ['neither', {}],
  ])('keeps the client that it leaves out, beside %s', (_what, message) => {
    const event = { rooms: ['a'], message, body: encodeBody({ retry: 5, ...message }) };
    for (const except of ['tab 1', undefined]) {
      const stored = decode('epoch', 1, encodeEvent({ ...event, except }, false))!;
      expect(stored.except).toBe(except);
      expect(stored.message).toEqual({ retry: 5, ...message });
    }
  });

  it('is none if that client is no text', () => {
    expect(decode('epoch', 1, '[["a"],"json",null,null,7]\ndata: 1\n')).toBeUndefined();
    expect(decode('epoch', 1, '[["a"],"json",null,null,"7"]\ndata: 1\n')?.except).toBe('7');
  });

  it('carries data of a serializer as JSON, or without it what has none', () => {
    const serialize = (data: unknown): string => `<x>${String(data)}</x>`;
    const message = { data: { n: 1 } };
    const text = encodeEvent({ rooms: ['a'], message, body: encodeBody(message, serialize) }, true);
    expect(decodeEvent(text)).toMatchObject({
      message,
      body: 'data: <x>[object Object]</x>\n',
    });
    const big = { data: 10n };
    const other = encodeEvent(
      { rooms: ['a'], message: big, body: encodeBody(big, serialize) },
      true,
    );
    expect(decodeEvent(other)).toMatchObject({ body: 'data: <x>10</x>\n' });
  });
});
