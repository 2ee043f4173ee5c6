// Large events of the memory log, whose text is kept as bytes.
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import type { LoggedEvent } from '../../lib/log/event.js';
import type { RoomEntry } from '../../lib/log/event-log.js';
import { newEvent } from '../../lib/hub/new-event.js';
import type { SseMessage } from '../../lib/wire/frame.js';
import { heapOf } from '../support/collector.js';

const { history } = SSE_DEFAULTS;
const NEVER = { rooms: () => [], lost() {}, caughtUp() {} };
const FACTS = {
  serialize: undefined,
  keepsHistory: true,
  maxBytes: false,
  maxRooms: false,
  identifies: true,
} as const;
const LARGE = 70_000;

const publish = (log: MemoryEventLog, message: SseMessage, serialize?: (data: unknown) => string) =>
  log.append(newEvent(() => ['a'], message, { except: 'tab 1' }, { ...FACTS, serialize }));

async function entriesOf(log: MemoryEventLog, maxBytes = 1e15): Promise<readonly RoomEntry[]> {
  const { rooms } = await log.read(['a'], { after: 0, maxEvents: 1e9, maxBytes });
  return rooms[0]!.entries;
}

/** What of an event can be seen. */
const seen = ({ epoch, position, rooms, message, body, except }: LoggedEvent) => ({
  epoch,
  position,
  rooms,
  message: { ...message },
  body,
  except,
});

describe('a large event', () => {
  it.each<[string, unknown]>([
    ['text', 'x'.repeat(LARGE)],
    ['text of several lines', 'x\n'.repeat(LARGE)],
    ['text with carriage returns', 'x\r\n'.repeat(LARGE)],
    ['text that is not Latin-1', '✓'.repeat(LARGE)],
    ['text with lone surrogates', '\ud800'.repeat(LARGE)],
    ['JSON', { note: 'é'.repeat(LARGE), no: [1, null] }],
    ['bytes', Buffer.alloc(LARGE, 7)],
    ['a date among others', [new Date(0), 'x'.repeat(LARGE)]],
  ])('is read as the follower got it: %s', async (_title, data) => {
    const log = new MemoryEventLog(history);
    const followed: ReturnType<typeof seen>[] = [];
    await log.follow({ ...NEVER, event: (event) => followed.push(seen(event)) });
    await publish(log, { type: 'n', data, comment: 'c', retry: 5 });
    const [entry] = await entriesOf(log);
    expect(seen(entry!.event)).toEqual(followed[0]);
    expect(followed[0]?.except).toBe('tab 1');
    expect({ ...entry!.event }).toMatchObject({ body: followed[0]!.body });
  });

  it('is read as the follower got it, whatever is in it', async () => {
    const data = fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue(), fc.uint8Array());
    await fc.assert(
      fc.asyncProperty(data, async (small) => {
        const log = new MemoryEventLog(history);
        const followed: ReturnType<typeof seen>[] = [];
        await log.follow({ ...NEVER, event: (event) => followed.push(seen(event)) });
        await publish(log, { data: small, comment: 'x'.repeat(LARGE) });
        const [entry] = await entriesOf(log);
        expect(seen(entry!.event)).toEqual(followed[0]);
      }),
    );
  });

  it('keeps the data that only its own serializer can write', async () => {
    const log = new MemoryEventLog(history);
    const data = { note: 'x'.repeat(LARGE) };
    await publish(log, { data }, () => 'y'.repeat(LARGE));
    const [entry] = await entriesOf(log);
    expect(entry!.event.message.data).toEqual(data);
    expect(entry!.event.body).toBe(`data: ${'y'.repeat(LARGE)}\n`);
  });

  it('counts both texts where its serializer has written another', async () => {
    const log = new MemoryEventLog(history);
    await publish(log, { data: { note: 'x'.repeat(LARGE) } }, () => 'y'.repeat(LARGE));
    expect(log.bytes).toBeGreaterThan(2 * LARGE);
    expect(log.bytes).toBeLessThan(2.1 * LARGE);
  });

  it('counts its text as UTF-8', async () => {
    const log = new MemoryEventLog(history);
    await publish(log, { data: '✓'.repeat(LARGE) });
    expect(log.bytes).toBeGreaterThan(3 * LARGE);
    expect(log.bytes).toBeLessThan(3.1 * LARGE);
  });

  it('is bounded by its size in a read', async () => {
    const log = new MemoryEventLog(history);
    for (const char of 'abc') await publish(log, { data: char.repeat(LARGE) });
    expect(await entriesOf(log, 2.5 * LARGE)).toHaveLength(2);
  });

  it('takes no room on the heap', async () => {
    const log = new MemoryEventLog(history);
    const fill = async (): Promise<void> => {
      for (let n = 0; n < 40; n++) await publish(log, { data: `${n}`.padEnd(1_000_000, 'x') });
    };
    const grown = await heapOf(fill);
    expect(log.bytes).toBeGreaterThan(40e6);
    expect(grown).toBeLessThan(4e6);
  });
});
