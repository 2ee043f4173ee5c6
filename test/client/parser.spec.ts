// The parser against WHATWG by vectors, and against eventsource-parser by random streams, cut
// anywhere. FC_RUNS sets their number; FC_SEED repeats a run, with the seed that it has printed.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createParser } from 'eventsource-parser';
import * as fc from 'fast-check';
import { Parser, type Block } from '../../lib/wire/parser.js';

const runs = Number(process.env['FC_RUNS'] ?? 5_000);
const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);

beforeAll(() => {
  process.stdout.write(`client/parser: FC_SEED=${seed} FC_RUNS=${runs}\n`);
});

interface Parsed {
  blocks: Block[];
  retryMs: number | undefined;
}

function parse(chunks: readonly string[]): Parsed {
  const parser = new Parser();
  const blocks = chunks.flatMap((chunk) => [...parser.feed(chunk)]);
  return { blocks, retryMs: parser.retryMs };
}

/** The bytes one by one, as the client decodes them. */
function parseBytes(bytes: Uint8Array): Parsed {
  const decoder = new TextDecoder();
  return parse([...bytes].map((byte) => decoder.decode(Uint8Array.of(byte), { stream: true })));
}

const event = (data: string, type = 'message', id?: string): Block => ({ type, data, id });
const onlyId = (id: string): Block => ({ type: 'message', data: undefined, id });

const VECTORS: [string, string, Block[], number?][] = [
  ['data', 'data: a\n\n', [event('a')]],
  ['lines of data', 'data: a\ndata:\ndata: b\n\n', [event('a\n\nb')]],
  [
    'data without a space, with two, and with a tab',
    'data:a\n\ndata:  b\n\ndata:\tc\n\n',
    [event('a'), event(' b'), event('\tc')],
  ],
  [
    'data that is empty, with and without a colon',
    'data:\n\ndata\n\ndata\ndata\n\n',
    [event(''), event(''), event('\n')],
  ],
  ['a colon in data', 'data: a: b:\n\n', [event('a: b:')]],
  [
    'a type, which holds for one block',
    'event: tick\ndata: a\n\ndata: b\n\n',
    [event('a', 'tick'), event('b')],
  ],
  [
    'the last of several types, and an empty one',
    'event: a\nevent: b\ndata: c\n\nevent: d\nevent:\ndata: e\n\n',
    [event('c', 'b'), event('e')],
  ],
  ['a type without data', 'event: tick\n\ndata: a\n\n', [event('a')]],
  ['an id', 'id: 7\ndata: a\n\ndata: b\n\n', [event('a', 'message', '7'), event('b')]],
  ['an id without data', 'id: 7\n\n', [onlyId('7')]],
  ['an id that is empty', 'id\n\nid:\ndata: a\n\n', [onlyId(''), event('a', 'message', '')]],
  [
    'an id with NUL, which is ignored',
    'id: 7\nid: a\0b\ndata: c\n\n',
    [event('c', 'message', '7')],
  ],
  ['comments', ': a\n:\ndata: b\n: c\n\n: d\n\n', [event('b')]],
  [
    'unknown fields, and names that differ by case or space',
    'Data: a\n data: b\ndata : c\nx: d\ny\n\n',
    [],
  ],
  ['retry', 'retry: 5000\n\n', [], 5000],
  ['retry without a blank line', 'retry: 5000\n', [], 5000],
  [
    'retry that is not of digits, which is ignored',
    'retry: 7\nretry: -1\nretry: 1.5\nretry: 1e3\nretry: x\nretry:\nretry:  8\n',
    [],
    7,
  ],
  ['CR', 'data: a\rdata: b\r\r', [event('a\nb')]],
  ['CRLF', 'data: a\r\ndata: b\r\n\r\n', [event('a\nb')]],
  [
    'all line ends',
    'data: a\r\ndata: b\rdata: c\n\rdata: d\r\n\ndata: e\n\r\n',
    [event('a\nb\nc'), event('d'), event('e')],
  ],
  ['no other line ends', 'data: a\u2028b\u0085c\vd\n\n', [event('a\u2028b\u0085c\vd')]],
  ['blank lines alone', '\n\r\r\n\n', []],
  ['a cut block, which is dropped', 'data: a\n\ndata: b\nid: 8\n', [event('a')]],
  ['a cut line, which is dropped', 'data: a\n\ndata: b', [event('a')]],
  ['a byte order mark', '\uFEFFdata: a\n\n', [event('a')]],
  [
    'a second byte order mark, which is part of the name',
    '\uFEFF\uFEFFdata: a\n\ndata: b\n\n',
    [event('b')],
  ],
  ['a byte order mark further on', 'data: \uFEFFa\n\n', [event('\uFEFFa')]],
  ['letters of several bytes', 'data: ä€😀\nid: é\n\n', [event('ä€😀', 'message', 'é')]],
];

describe('the parser', () => {
  // feature: 95
  // fault: 27
  it.each(VECTORS)('takes %s', (_title, text, blocks, ...[retryMs]) => {
    const bytes = new TextEncoder().encode(text);
    const whole = parse([new TextDecoder().decode(bytes)]);
    expect(whole).toEqual({ blocks, retryMs });
    expect(parseBytes(bytes)).toEqual(whole);
  });

  it('does not wait for the LF behind a CR', () => {
    const parser = new Parser();
    expect([...parser.feed('data: a\r\r')]).toEqual([event('a')]);
    expect([...parser.feed('\ndata: b\r')]).toEqual([]);
    expect([...parser.feed('')]).toEqual([]);
    expect([...parser.feed('\n\r')]).toEqual([event('b')]);
    expect([...parser.feed('\n')]).toEqual([]);
  });
});

/** What eventsource-parser tells of: it passes over ids in blocks without data. */
function reference(chunks: readonly string[]): Parsed {
  const parsed: Parsed = { blocks: [], retryMs: undefined };
  const parser = createParser({
    onEvent: ({ event: type = 'message', data, id }) => parsed.blocks.push({ type, data, id }),
    onRetry: (retryMs) => {
      parsed.retryMs = retryMs;
    },
  });
  for (const chunk of chunks) parser.feed(chunk);
  return parsed;
}

/** The standard word by word, for a whole text. */
function byTheBook(text: string): Parsed {
  const parsed: Parsed = { blocks: [], retryMs: undefined };
  const lines = text.split(/\r\n|\r|\n/).slice(0, -1);
  let block: { data: string[]; type: string; id?: string } = { data: [], type: '' };
  for (const line of lines) {
    const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/su.exec(line) ?? [];
    if (line === '') {
      const { data, type, id } = block;
      if (data.length > 0) parsed.blocks.push(event(data.join('\n'), type || 'message', id));
      else if (id !== undefined) parsed.blocks.push({ ...onlyId(id), type: type || 'message' });
      block = { data: [], type: '' };
    } else if (name === 'data') block.data.push(value);
    else if (name === 'event') block.type = value;
    else if (name === 'id') block.id = value.includes('\0') ? block.id : value;
    else if (name === 'retry' && /^[0-9]+$/.test(value)) parsed.retryMs = Number(value);
  }
  return parsed;
}

const PIECES = [
  'data',
  'event',
  'id',
  'retry',
  ':',
  ': ',
  ' ',
  '\n',
  '\n',
  '\r',
  '\r\n',
  '\n\n',
  '\r\r',
  '5',
  'x',
  '\0',
  'ä😀',
  '\uFEFF',
];
const FIELDS = [
  'data: a\n',
  'data: b\r\n',
  'id: 7\r',
  'id\n',
  'event: e\n',
  ': c\n',
  'retry: 12\n',
  '\n',
  '\r',
];
const chunks = fc.array(
  fc
    .array(fc.constantFrom(...PIECES, ...FIELDS), { maxLength: 8 })
    .map((pieces) => pieces.join('')),
  { maxLength: 8 },
);

describe('the parser, over random streams in random chunks', () => {
  it('finds what eventsource-parser finds', () => {
    fc.assert(
      fc.property(chunks, (random) => {
        // It waits for what follows a CR, and takes some first letters for an undecoded byte order
        // mark.
        const parts = [':\n', ...random, ':\n'];
        const { blocks, retryMs } = parse(parts);
        const events = blocks.filter(({ data }) => data !== undefined);
        expect({ blocks: events, retryMs }).toEqual(reference(parts));
      }),
      { seed, numRuns: runs },
    );
  }, 60_000);

  // fault: 27
  it('finds what the standard says, ids in blocks without data included', () => {
    fc.assert(
      fc.property(chunks, (random) => {
        // The end of the text is the end of a line.
        const parts = [...random, ':\n'];
        expect(parse(parts)).toEqual(byTheBook(parts.join('')));
      }),
      { seed, numRuns: runs },
    );
  }, 60_000);
});
