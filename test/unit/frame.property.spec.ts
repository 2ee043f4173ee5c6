// Random messages against eventsource-parser, a WHATWG parser. A million of them: `npm run
// test:long`. FC_RUNS sets their number; FC_SEED repeats a run, with the seed that it has printed.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createParser } from 'eventsource-parser';
import * as fc from 'fast-check';
import { Batch } from '../../lib/output/batch.js';
import { SseError } from '../../lib/ground/errors.js';
import { encodeFrame, type SseMessage } from '../../lib/wire/frame.js';

const runs = Number(process.env['FC_RUNS'] ?? 20_000);
const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const timeoutMs = 30_000 + runs;

beforeAll(() => {
  process.stdout.write(`frame.property: FC_SEED=${seed} FC_RUNS=${runs}\n`);
});

/** What a client got out of a stream. */
interface Received {
  events: { type: string; id: string | undefined; data: string }[];
  retries: number[];
  comments: string[];
  errors: unknown[];
}

/** Decodes and parses chunks of bytes as a client does. */
function receive(chunks: readonly Uint8Array[]): Received {
  const received: Received = { events: [], retries: [], comments: [], errors: [] };
  const parser = createParser({
    onEvent: ({ event: type = 'message', id, data }) => received.events.push({ type, id, data }),
    onRetry: (retry) => received.retries.push(retry),
    onComment: (comment) => received.comments.push(comment),
    onError: (error) => received.errors.push(error),
  });
  const decoder = new TextDecoder();
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }));
  parser.feed(decoder.decode());
  return received;
}

/** Cuts bytes at these places, each a share of the length. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const edges = places.map((place) => Math.floor(place * (bytes.length + 1))).sort((a, b) => a - b);
  return [0, ...edges].map((from, n) => bytes.subarray(from, edges[n] ?? bytes.length));
}

/**
 * What a client gets of the message alone; `refused` where the encoder says so with an error of its
 * own.
 */
function outcome(message: SseMessage, places: readonly number[]): Received | 'refused' {
  let frame: string;
  try {
    frame = encodeFrame(message);
  } catch (error) {
    if (error instanceof SseError) return 'refused';
    throw error;
  }
  return receive(cut(Buffer.from(frame), places));
}

const lines = (text: string): string[] => text.split(/\r\n|\r|\n/);

/**
 * What the client should see of a message, or `refused`. Says it in other words than the encoder.
 */
function expected(message: SseMessage): Received | 'refused' {
  const { data, type, id, retry, comment = [] } = message;
  if (Object.values(message).every((value) => value === undefined)) return 'refused';
  for (const field of [type, id]) {
    if (typeof field === 'string' && /[\r\n\0]/.test(field)) return 'refused';
  }
  if (typeof id === 'number' && !Number.isFinite(id)) return 'refused';
  if (retry !== undefined && !(Number.isSafeInteger(retry) && retry >= 0)) return 'refused';
  // A type alone is an event, too.
  const text = data === undefined && type !== undefined ? '' : textOf(data);
  if (text === undefined && data !== undefined) return 'refused';
  return {
    events:
      text === undefined
        ? []
        : [
            {
              type: type || 'message',
              id: id === undefined ? undefined : String(id),
              data: lines(text).join('\n'),
            },
          ],
    retries: retry === undefined ? [] : [retry],
    comments: [comment].flat().flatMap(lines),
    errors: [],
  };
}

function textOf(data: unknown): string | undefined {
  if (typeof data === 'string') return data;
  if (data instanceof Uint8Array) return btoa(String.fromCharCode(...data));
  try {
    return JSON.stringify(data);
  } catch {
    return undefined;
  }
}

const cycle: unknown[] = [];
cycle.push(cycle);

/** What means something to a parser, or looks as if. */
const PIECES = [
  ['\r', '\n', '\r\n', '\n\n', ' ', '  ', ':', '\uFEFF', '\0', '\t', 'data: x', 'data:'],
  ['id: 9', 'event: e', 'retry: 1', ': c', 'é', '✓', '😀', '\u2028', '\u0085', 'x'],
].flat();

/** Any characters, or pieces in any order. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }).map((pieces) => pieces.join('')),
);
/** Mostly without what `id` and `type` cannot hold. */
const singleLine = fc.oneof(
  { weight: 9, arbitrary: text.map((any) => any.replace(/[\r\n\0]/g, '_')) },
  { weight: 1, arbitrary: text },
);
const data = fc.oneof(
  { weight: 6, arbitrary: text },
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 9 }) },
  { weight: 1, arbitrary: text.map((any) => ({ toJSON: () => any })) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(1n, cycle, () => 1, Symbol('s'), { n: [1n] }) },
);
const retry = fc.oneof(
  { weight: 9, arbitrary: fc.nat() },
  { weight: 1, arbitrary: fc.constantFrom(-1, 0.5, Number.NaN, Infinity, 0, 2 ** 53 - 1, 2 ** 53) },
);
const id = fc.oneof(
  { weight: 9, arbitrary: singleLine },
  { weight: 2, arbitrary: fc.oneof(fc.integer(), fc.double()) },
);
const comment = fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 }));
const anyMessage: fc.Arbitrary<SseMessage> = fc.record(
  { data, type: singleLine, id, retry, comment },
  { requiredKeys: [] },
);
const goodMessage = anyMessage.filter((message) => expected(message) !== 'refused');
const edges = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), {
  maxLength: 4,
});

const parameters = { seed, numRuns: runs };

describe('a random message', () => {
  // feature: 2
  // fault: 1, 2
  it(
    'is read back as it was, wherever its bytes are cut, or is refused with nothing written',
    () => {
      let refused = 0;
      const property = fc.property(anyMessage, edges, (message, places) => {
        const want = expected(message);
        if (want === 'refused') refused++;
        expect(outcome(message, places)).toEqual(want);
      });
      fc.assert(property, parameters);
      // Neither half of the property may be an empty one.
      expect(refused).toBeGreaterThan(runs * 0.02);
      expect(refused).toBeLessThan(runs * 0.6);
    },
    timeoutMs,
  );

  it(
    'keeps its id and type in a frame without data',
    () => {
      const property = fc.property(goodMessage, (message) => {
        const { data: _, ...rest } = { comment: '', ...message };
        const frame = encodeFrame(rest);
        expect(frame.endsWith('\n')).toBe(true);
        // The parser shows them with an event only: here the block gets one.
        const [event] = receive([Buffer.from(`${frame.slice(0, -1)}data: probe\n\n`)]).events;
        expect(event).toEqual({
          type: message.type || 'message',
          id: message.id === undefined ? undefined : String(message.id),
          data: message.type === undefined ? 'probe' : '\nprobe',
        });
      });
      fc.assert(property, { ...parameters, numRuns: Math.ceil(runs / 5) });
    },
    timeoutMs,
  );

  it(
    'does not reach into the messages before and after it in a batch',
    () => {
      const property = fc.property(
        fc.array(goodMessage, { minLength: 2, maxLength: 6 }),
        edges,
        (messages, places) => {
          const want: Received = { events: [], retries: [], comments: [], errors: [] };
          let batch = new Batch();
          for (const message of messages) {
            const { events, retries, comments } = expected(message) as Received;
            want.events.push(...events);
            want.retries.push(...retries);
            want.comments.push(...comments);
            batch = batch.append(encodeFrame(message));
          }
          expect(batch.bytes).toBe(batch.buffer.length);
          expect(receive(cut(batch.buffer, places))).toEqual(want);
        },
      );
      fc.assert(property, { ...parameters, numRuns: Math.ceil(runs / 5) });
    },
    timeoutMs,
  );
});
