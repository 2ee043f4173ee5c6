import { describe, expect, it, jest } from '@jest/globals';
import { SseError, SseInvalidFieldError, SseSerializeError } from '../../lib/ground/errors.js';
import {
  commentLines,
  encodeFrame,
  encodeBody,
  frameOf,
  type Serialize,
  type SseMessage,
} from '../../lib/wire/frame.js';
import { toMessage } from '../../lib/nest/message.js';

class Money {
  constructor(private readonly cents: number) {}
  toJSON(): string {
    return `${this.cents / 100} EUR`;
  }
}

const cycle: Record<string, unknown> = {};
cycle['self'] = cycle;

const png = [0x89, 0x50, 0x4e, 0x47];
const shared = (bytes: Iterable<number>): SharedArrayBuffer => {
  const all = [...bytes];
  const buffer = new SharedArrayBuffer(all.length);
  new Uint8Array(buffer).set(all);
  return buffer;
};

describe('the frame of a message', () => {
  // feature: 1, 2, 3, 4, 5, 6, 7, 8, 12, 14
  // fault: 2, 3, 18
  it.each<[string, SseMessage, string]>([
    ['text', { data: 'x' }, 'data: x\n\n'],
    ['empty text', { data: '' }, 'data: \n\n'],
    ['text with a leading space', { data: ' x' }, 'data:  x\n\n'],
    ['text with a colon and quotes', { data: ':"x"' }, 'data: :"x"\n\n'],
    [
      'text with all kinds of line breaks',
      { data: 'a\nb\r\nc\rd' },
      'data: a\ndata: b\ndata: c\ndata: d\n\n',
    ],
    ['text that ends with a line break', { data: 'a\n' }, 'data: a\ndata: \n\n'],
    ['text with LF CR, which are two breaks', { data: 'a\n\rb' }, 'data: a\ndata: \ndata: b\n\n'],
    [
      'type, id, retry and JSON',
      { type: 'tick', id: '7', retry: 5000, data: { n: 1 } },
      'event: tick\nretry: 5000\ndata: {"n":1}\nid: 7\n\n',
    ],
    [
      'all fields, in one order whatever the order of the keys',
      { data: { n: 1 }, retry: 5000, id: '7', type: 'T', comment: 'n' },
      ': n\nevent: T\nretry: 5000\ndata: {"n":1}\nid: 7\n\n',
    ],
    ['type', { type: 'order', data: 'x' }, 'event: order\ndata: x\n\n'],
    ['id', { id: 'msg-0', data: 'x' }, 'data: x\nid: msg-0\n\n'],
    ['a number as id', { id: 0, data: 'x' }, 'data: x\nid: 0\n\n'],
    ['an empty id, which clears the last one', { id: '', data: 'x' }, 'data: x\nid: \n\n'],
    ['id alone', { id: '7' }, 'id: 7\n\n'],
    ['retry', { retry: 5000, data: 'x' }, 'retry: 5000\ndata: x\n\n'],
    ['retry 0 alone', { retry: 0 }, 'retry: 0\n\n'],
    [
      'a greeting',
      { type: 'greeting', id: 'msg-1', retry: 3000, data: 'Hi' },
      'event: greeting\nretry: 3000\ndata: Hi\nid: msg-1\n\n',
    ],
    ['one comment', { comment: 'a' }, ': a\n\n'],
    ['comments, one of two lines', { comment: ['a', 'b\nc'] }, ': a\n: b\n: c\n\n'],
    ['a comment beside data', { comment: 'a', data: 'x' }, ': a\ndata: x\n\n'],
    ['an object', { data: { n: 1 } }, 'data: {"n":1}\n\n'],
    ['an object of figures', { data: { activeUsers: 5 } }, 'data: {"activeUsers":5}\n\n'],
    ['a list', { data: [1, 'a'] }, 'data: [1,"a"]\n\n'],
    ['a number', { data: 7 }, 'data: 7\n\n'],
    ['zero', { data: 0 }, 'data: 0\n\n'],
    ['false', { data: false }, 'data: false\n\n'],
    ['null', { data: null }, 'data: null\n\n'],
    [
      'a date inside an object',
      { data: { at: new Date(0) } },
      'data: {"at":"1970-01-01T00:00:00.000Z"}\n\n',
    ],
    ['a class with toJSON()', { data: new Money(250) }, 'data: "2.5 EUR"\n\n'],
    ['a line break inside JSON, which JSON escapes', { data: ['a\nb'] }, 'data: ["a\\nb"]\n\n'],
    ['a Buffer', { data: Buffer.from(png) }, 'data: iVBORw==\n\n'],
    ['a Uint8Array', { data: new Uint8Array(png) }, 'data: iVBORw==\n\n'],
    [
      'a view of some bytes of a larger buffer',
      { data: new Uint8Array([0, ...png, 0]).subarray(1, 5) },
      'data: iVBORw==\n\n',
    ],
    ['no bytes', { data: new Uint8Array(0) }, 'data: \n\n'],
    ['an ArrayBuffer', { data: new Uint8Array(png).buffer }, 'data: iVBORw==\n\n'],
    ['a SharedArrayBuffer', { data: shared(png) }, 'data: iVBORw==\n\n'],
    ['a DataView', { data: new DataView(new Uint8Array(png).buffer) }, 'data: iVBORw==\n\n'],
    ['other views', { data: new Uint16Array(new Uint8Array(png).buffer) }, 'data: iVBORw==\n\n'],
    ['a type alone', { type: 'ping' }, 'event: ping\ndata: \n\n'],
    ['fields set to undefined', { data: 'x', id: undefined, type: undefined }, 'data: x\n\n'],
  ])('is byte-exact for %s', (_title, message, bytes) => {
    expect(encodeFrame(message)).toBe(bytes);
  });

  it('is the same for a plain value and for a message with that data', () => {
    expect(encodeFrame(toMessage('x'))).toBe('data: x\n\n');
    expect(encodeFrame(toMessage(7))).toBe('data: 7\n\n');
  });

  it('is the body and then the id, and the body ignores the id', () => {
    const message: SseMessage = { comment: 'n', type: 'T', id: '7', retry: 5, data: 'x' };
    const body = encodeBody(message);
    expect(body).toBe(': n\nevent: T\nretry: 5\ndata: x\n');
    expect(frameOf(body, '7')).toBe(`${body}id: 7\n\n`);
    expect(frameOf(body)).toBe(`${body}\n`);
    expect(encodeFrame(message)).toBe(frameOf(body, '7'));
  });

  // feature: 8
  it('does not change the message', () => {
    const message = Object.freeze({ data: 'a\nb', id: 7, comment: Object.freeze(['c']) });
    encodeFrame(message);
    expect(message).toEqual({ data: 'a\nb', id: 7, comment: ['c'] });
  });
});

describe('a message that cannot be carried', () => {
  // feature: 5
  // fault: 1
  it.each<[string, string, unknown]>([
    ['CR in the id', 'id', { data: 'x', id: 'a\rb' }],
    ['LF in the id', 'id', { data: 'x', id: 'a\nb' }],
    ['NUL in the id', 'id', { data: 'x', id: 'a\0b' }],
    ['an id that is no finite number', 'id', { data: 'x', id: Number.NaN }],
    ['an id that is an object', 'id', { data: 'x', id: {} }],
    ['a null id', 'id', { data: 'x', id: null }],
    ['CR in the type', 'type', { data: 'x', type: 'a\r' }],
    ['LF in the type', 'type', { data: 'x', type: '\nb' }],
    ['NUL in the type', 'type', { data: 'x', type: '\0' }],
    ['a number as type', 'type', { data: 'x', type: 7 }],
    ['a negative retry', 'retry', { data: 'x', retry: -1 }],
    ['a fraction as retry', 'retry', { data: 'x', retry: 1.5 }],
    ['retry as text', 'retry', { data: 'x', retry: '5000' }],
    ['an infinite retry', 'retry', { data: 'x', retry: Infinity }],
    ['a comment that is no text', 'comment', { comment: [7] }],
    ['a misspelt field', 'event', { data: 'x', event: 'tick' }],
    ['an object that is no message', 'name', { name: 'x' }],
    ['no field at all', 'message', {}],
    ['only undefined fields', 'message', { data: undefined, id: undefined }],
  ])('is refused for %s', (_title, field, message) => {
    let error: unknown;
    try {
      encodeFrame(message as SseMessage);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(SseInvalidFieldError);
    expect(error).toMatchObject({ code: 'SSE_INVALID_FIELD', field });
  });

  it('names the field, the remedy and the value', () => {
    expect(() => encodeFrame({ id: 'a\nb' })).toThrow(
      'id: must not contain CR, LF or NUL; encode it, for example as base64url (got "a\\nb")',
    );
    expect(() => encodeFrame({ retry: -1 })).toThrow(
      'retry: expected milliseconds, an integer of at least 0 (got -1)',
    );
  });

  it('refuses a Blob, which JSON would make an empty object of', () => {
    expect(() => encodeFrame({ data: new Blob(['x']) })).toThrow(/await blob\.arrayBuffer\(\)/);
  });

  // feature: 13
  it.each<[string, unknown]>([
    ['a cycle', cycle],
    ['a BigInt', 10n],
    ['a BigInt inside', { n: 10n }],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a toJSON() that answers undefined', { toJSON: () => undefined }],
  ])('is refused where the data has no text form: %s', (_title, data) => {
    expect(() => encodeFrame({ type: 'tick', data })).toThrow(SseSerializeError);
    expect(() => encodeFrame({ type: 'tick', data })).toThrow(/^data of "tick": .*`serialize`$/s);
  });

  it('is refused with an SseError by its pieces as well', () => {
    expect(() => encodeBody({ retry: -1 })).toThrow(SseError);
    expect(() => commentLines([7] as never)).toThrow(SseError);
    expect(() => frameOf('', '\r')).toThrow(SseError);
  });
});

describe('a comment that is neither text nor a list', () => {
  it.each([null, 7, {}])('is refused: %p', (comment) => {
    expect(() => encodeFrame({ comment: comment as never })).toThrow(SseError);
  });

  it('of no lines is not a message', () => {
    expect(() => encodeFrame({ comment: [] })).toThrow('expected at least one of data');
    expect(encodeFrame({ comment: [], data: 'x' })).toBe('data: x\n\n');
  });
});

describe('serialize', () => {
  it('gets the data and the type, and its text becomes data lines', () => {
    const serialize = jest.fn<Serialize>(() => '<n>\n1</n>');
    expect(encodeFrame({ type: 'tick', data: { n: 1 } }, serialize)).toBe(
      'event: tick\ndata: <n>\ndata: 1</n>\n\n',
    );
    expect(serialize.mock.calls).toEqual([[{ n: 1 }, 'tick']]);
  });

  it('is not asked for text, for bytes, or where there is no data', () => {
    const serialize = jest.fn<Serialize>(() => 'wrong');
    expect(encodeFrame({ data: '<n/>' }, serialize)).toBe('data: <n/>\n\n');
    expect(encodeFrame({ data: Buffer.from(png) }, serialize)).toBe('data: iVBORw==\n\n');
    expect(encodeFrame({ id: '7' }, serialize)).toBe('id: 7\n\n');
    expect(serialize).not.toHaveBeenCalled();
  });

  it('that throws is an SSE_SERIALIZE error with its cause', () => {
    const cause = new Error('no such schema');
    const serialize: Serialize = () => {
      throw cause;
    };
    expect(() => encodeFrame({ data: {} }, serialize)).toThrow(
      expect.objectContaining({ code: 'SSE_SERIALIZE', type: undefined, cause }),
    );
  });

  it('that answers no text is an SSE_SERIALIZE error', () => {
    const serialize = (() => ({ n: 1 })) as unknown as Serialize;
    expect(() => encodeFrame({ data: {} }, serialize)).toThrow(SseSerializeError);
  });
});
