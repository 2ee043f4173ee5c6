import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { encodeBody, frameOf, type SseMessage } from '../../lib/wire/frame.js';
import { encodeEvent } from '../../lib/log/event-text.js';
import { parseNotice } from '../../lib/redis/notice.js';

const FC_RUNS = Number(process.env['FC_RUNS'] ?? 2_000);
const DAMAGES = ['', '\n', '\n\n', '\r', ' ', ',', '-', '9'.repeat(20), '[', '"', '\0', 'é'];

const eventText = (rooms: readonly string[], message: SseMessage): string =>
  encodeEvent({ rooms, message, body: encodeBody(message) }, false);
const rooms = fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 1 });
const message = fc.record({ data: fc.jsonValue() }).map((value): SseMessage => value);
const position = fc.integer({ min: 1, max: 2 ** 52 });

/** In a hub with entries their number, and the ttl of one that was set. */
const counts = fc.array(fc.nat(), { maxLength: 2 });

/** As the scripts write them. */
const notices = fc.oneof(
  fc.tuple(position, rooms, message, counts).map(([at, names, each, more]) => {
    const previous = names.map((_, n) => Math.max(0, at - 1 - n));
    const parts = [at, at - 1, previous.join(','), ...more];
    return `n3 epoch ${parts.join(' ')}\n${eventText(names, each)}`;
  }),
  fc.tuple(rooms, message).map(([names, each]) => `e3 epoch\n${eventText(names, each)}`),
  position.map((at) => `p3 epoch ${at}`),
);

describe('a notice', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(position, rooms, message, (at, names, each) => {
        const text = `n3 ep-_0 ${at} ${at - 1} ${names.map(() => '0').join(',')}\n${eventText(names, each)}`;
        expect(parseNotice(text)).toMatchObject({
          kind: 'event',
          epoch: 'ep-_0',
          position: at,
          before: at - 1,
          previous: names.map(() => 0),
          entries: undefined,
          endsInMs: undefined,
          event: { epoch: 'ep-_0', position: at, rooms: names, body: encodeBody(each) },
        });
      }),
      { numRuns: FC_RUNS },
    );
    const set = parseNotice(`n3 epoch 9 8 0 12\n${eventText(['a'], { data: 1 })}`);
    expect(set).toMatchObject({ position: 9, entries: 12, endsInMs: undefined });
    const ending = parseNotice(`n3 epoch 9 8 0 12 30000\n${eventText(['a'], { data: 1 })}`);
    expect(ending).toMatchObject({ position: 9, entries: 12, endsInMs: 30_000 });
    const ephemeral = parseNotice(`e3 epoch\n${eventText(['a'], { data: 1 })}`);
    expect(ephemeral).toMatchObject({ kind: 'ephemeral', event: { message: { data: 1 } } });
    expect(parseNotice('p3 epoch 7')).toEqual({ kind: 'probe', epoch: 'epoch', position: 7 });
  });

  it('is refused or whole, whatever happened to its text: nothing of it throws later', () => {
    const damage = fc.tuple(fc.nat(), fc.nat({ max: 20 }), fc.constantFrom(...DAMAGES));
    fc.assert(
      fc.property(notices, fc.array(damage, { minLength: 1, maxLength: 3 }), (whole, damages) => {
        let text = whole;
        for (const [at, length, by] of damages) {
          const from = at % (text.length + 1);
          text = text.slice(0, from) + by + text.slice(from + length);
        }
        const notice = parseNotice(text);
        if (notice === undefined || notice.kind === 'probe') return;
        const { event } = notice;
        void event.message;
        expect(event.rooms.length).toBeGreaterThan(0);
        // One block, which ends with its id.
        expect(frameOf(event.body, 1)).toMatch(/^(?:[^\r\n]+\n)+\n$/);
      }),
      { numRuns: FC_RUNS },
    );
  });

  it.each([
    '',
    'garbage',
    'n3',
    'n3 epoch',
    'n3 epoch 9 8 0',
    'n3 epoch 9 8 0\nnot json',
    'n3 epoch 9 8 0\nnot json\ndata: 1\n',
    'e3 epoch\n{\ndata: 1\n',
    'n3 epoch 9 8 0\n{}',
    'n3 epoch 9 8 0\n[["a"],"json"]',
    'n3 epoch 9 8 0\n[["a"],"json"]\n',
    'n3 epoch 9 8 0\n[["a"],"json"]\ndata: 1',
    'n3 epoch 9 8 0\n[["a"],"json"]\n\ndata: 1\n',
    'n3 epoch 9 8 0\n[["a"],"json"]\ndata: 1\n\n',
    'n3 epoch 9 8 0\n[["a"],"json"]\ndata: 1\n\ndata: 2\n',
    'n3 epoch 9 8 0\n[["a"],"json"]\ndata: 1\r\n',
    'n epoch 9 8 0\n[["a"],"json"]\ndata: 1\n',
    'n2 epoch 9 8 0\n[["a"],"json"]\ndata: 1\n',
    'e epoch\n[["a"],"json"]\ndata: 1\n',
    'p epoch 7',
    'n3 epoch 9 8 0\n[["a"],"other"]\ndata: 1\n',
    'n3 epoch 9 8 0\n[[],"json"]\ndata: 1\n',
    'n3 epoch 9 8 0\n[[1],"json"]\ndata: 1\n',
    'n3 epoch 9 8 0,0\n[["a"],"json"]\ndata: 1\n',
    'n3 epoch 9 9 0\n[["a"],"json"]\ndata: 1\n',
    'n3 epoch 9 8 9\n[["a"],"json"]\ndata: 1\n',
    'n3 epoch 9 8 0 many\n[["a"],"json"]\ndata: 1\n',
    'n3 epoch 9 8 0 1 -1\n[["a"],"json"]\ndata: 1\n',
    'n3 epoch 9 8 0 1 1 1\n[["a"],"json"]\ndata: 1\n',
    'n3 epoch nine 8 0\n[["a"],"json"]\ndata: 1\n',
    'n3 epoch 99999999999999999 8 0\n[["a"],"json"]\ndata: 1\n',
    'n3 an:epoch 9 8 0\n[["a"],"json"]\ndata: 1\n',
    'x3 epoch 9 8 0\n[["a"],"json"]\ndata: 1\n',
    'e3 epoch\n{}',
    'e3 epoch',
    'p3 epoch',
    'p3 epoch 1 2',
    'p3 epoch -1',
  ])('is none: %j', (text) => {
    expect(parseNotice(text)).toBeUndefined();
  });

  it('whose data is no JSON gives the text, as clients get it', () => {
    const notice = parseNotice('n3 epoch 9 8 0\n[["a"],"json"]\ndata: {"a":\n');
    expect(notice).toMatchObject({ event: { message: { data: '{"a":' } } });
  });
});
