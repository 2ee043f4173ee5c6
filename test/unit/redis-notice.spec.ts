import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { encodeParts, type SseMessage } from '../../lib/wire/frame.js';
import { encodeEvent } from '../../lib/redis/event-text.js';
import { parseNotice } from '../../lib/redis/notice.js';

const FC_RUNS = Number(process.env['FC_RUNS'] ?? 2_000);
const DAMAGES = ['', '\n', '\n\n', '\r', ' ', ',', '-', '9'.repeat(20), '[', '"', '\0', 'é'];

const eventText = (rooms: readonly string[], message: SseMessage): string =>
  encodeEvent({ rooms, message, parts: encodeParts(message) }, false);
const rooms = fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 1 });
const message = fc.record({ data: fc.jsonValue() }).map((value): SseMessage => value);
const position = fc.integer({ min: 1, max: 2 ** 52 });

/** As the scripts write them. */
const notices = fc.oneof(
  fc.tuple(position, rooms, message).map(([at, names, each]) => {
    const previous = names.map((_, n) => Math.max(0, at - 1 - n));
    return `n epoch ${at} ${at - 1} ${previous.join(',')}\n${eventText(names, each)}`;
  }),
  fc.tuple(rooms, message).map(([names, each]) => `e epoch\n${eventText(names, each)}`),
  position.map((at) => `p epoch ${at}`),
);

describe('a notice', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(position, rooms, message, (at, names, each) => {
        const text = `n ep-_0 ${at} ${at - 1} ${names.map(() => '0').join(',')}\n${eventText(names, each)}`;
        expect(parseNotice(text)).toMatchObject({
          kind: 'event',
          epoch: 'ep-_0',
          position: at,
          before: at - 1,
          previous: names.map(() => 0),
          event: { epoch: 'ep-_0', position: at, rooms: names, parts: encodeParts(each) },
        });
      }),
      { numRuns: FC_RUNS },
    );
    const ephemeral = parseNotice(`e epoch\n${eventText(['a'], { data: 1 })}`);
    expect(ephemeral).toMatchObject({ kind: 'ephemeral', event: { message: { data: 1 } } });
    expect(parseNotice('p epoch 7')).toEqual({ kind: 'probe', epoch: 'epoch', position: 7 });
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
        const { beforeId, afterId } = event.parts;
        void event.message;
        expect(event.rooms.length).toBeGreaterThan(0);
        // One block, with a place for the id between two lines.
        expect(`${beforeId}id: 1\n${afterId}`).toMatch(/^(?:[^\r\n]+\n)+\n$/);
      }),
      { numRuns: FC_RUNS },
    );
  });

  it.each([
    '',
    'garbage',
    'n',
    'n epoch',
    'n epoch 9 8 0',
    'n epoch 9 8 0\nnot json',
    'n epoch 9 8 0\n{}',
    'n epoch 9 8 0\n[["a"],"json",0]',
    'n epoch 9 8 0\n[["a"],"json",0]\ndata: 1\n',
    'n epoch 9 8 0\n[["a"],"json",0]\ndata: 1\n\ndata: 2\n\n',
    'n epoch 9 8 0\n[["a"],"json",3]\ndata: 1\n\n',
    'n epoch 9 8 0\n[["a"],"other",0]\ndata: 1\n\n',
    'n epoch 9 8 0\n[[],"json",0]\ndata: 1\n\n',
    'n epoch 9 8 0\n[[1],"json",0]\ndata: 1\n\n',
    'n epoch 9 8 0,0\n[["a"],"json",0]\ndata: 1\n\n',
    'n epoch 9 9 0\n[["a"],"json",0]\ndata: 1\n\n',
    'n epoch 9 8 9\n[["a"],"json",0]\ndata: 1\n\n',
    'n epoch nine 8 0\n[["a"],"json",0]\ndata: 1\n\n',
    'n epoch 99999999999999999 8 0\n[["a"],"json",0]\ndata: 1\n\n',
    'n an:epoch 9 8 0\n[["a"],"json",0]\ndata: 1\n\n',
    'x epoch 9 8 0\n[["a"],"json",0]\ndata: 1\n\n',
    'e epoch\n{}',
    'e epoch',
    'p epoch',
    'p epoch 1 2',
    'p epoch -1',
  ])('is none: %j', (text) => {
    expect(parseNotice(text)).toBeUndefined();
  });

  it('whose data is no JSON gives the text, as clients get it', () => {
    const notice = parseNotice('n epoch 9 8 0\n[["a"],"json",0]\ndata: {"a":\n\n');
    expect(notice).toMatchObject({ event: { message: { data: '{"a":' } } });
  });
});
