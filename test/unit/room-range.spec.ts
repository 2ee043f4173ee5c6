import { describe, expect, it } from '@jest/globals';
import { array, assert, boolean, integer, property, record, uniqueArray } from 'fast-check';
import type { RoomEntry, RoomState } from '../../lib/log/event-log.js';
import { fitting, type RoomView } from '../../lib/log/room-range.js';

// FC_RUNS sets how many ranges are tried; FC_SEED repeats a run, with the seed that it has printed.
const runs = Number(process.env['FC_RUNS'] ?? 1_000);
const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
process.stdout.write(`room-range: FC_SEED=${seed} FC_RUNS=${runs}\n`);

interface Sized {
  readonly position: number;
  readonly bytes: number;
  readonly rooms: readonly number[];
}

/** An event whose body has so many bytes, as a room keeps it. */
function entryAt(position: number, bytes: number): RoomEntry {
  const event = { epoch: 'e', position, rooms: [], message: {}, body: 'x'.repeat(bytes) };
  return { event, previous: 0 };
}

/** What the rooms 0 to `count` keep of these events. */
function viewsOf(events: readonly Sized[], count: number): RoomView[] {
  return Array.from({ length: count }, (_, room) => {
    const entries = events
      .filter(({ rooms }) => rooms.includes(room))
      .map(({ position, bytes }) => entryAt(position, bytes));
    const last = entries.at(-1)?.event.position ?? 0;
    return { last, length: entries.length, at: (index) => entries[index] };
  });
}

const positionsOf = ({ entries }: RoomState): number[] =>
  entries.map(({ event }) => event.position);

const someEvents = array(
  record({
    bytes: integer({ min: 1, max: 40 }),
    rooms: uniqueArray(integer({ min: 0, max: 4 }), { minLength: 1 }),
  }),
  { maxLength: 40 },
).map((events) => events.map((event, n) => ({ ...event, position: n + 1 })));

describe('what of some rooms fits a range', () => {
  it('is within both limits, whole from one end, and says where it is not all', () => {
    assert(
      property(
        someEvents,
        integer({ min: 0, max: 30 }),
        integer({ min: 0, max: 500 }),
        boolean(),
        (events, maxEvents, maxBytes, newest) => {
          const views = viewsOf(events, 5);
          const states = fitting(views, { after: 0, maxEvents, maxBytes, newest });
          const read = new Set(states.flatMap(positionsOf));
          const bytes = events
            .filter(({ position }) => read.has(position))
            .reduce((sum, event) => sum + event.bytes, 0);
          expect(read.size).toBeLessThanOrEqual(maxEvents);
          expect(read.size > 1 && bytes > maxBytes).toBe(false);
          expect(maxEvents > 0 && events.length > 0 && read.size === 0).toBe(false);
          for (const [room, state] of states.entries()) {
            const all = events
              .filter(({ rooms }) => rooms.includes(room))
              .map(({ position }) => position);
            const count = state.entries.length;
            const from = newest ? all.length - count : 0;
            expect(positionsOf(state)).toEqual(all.slice(from, from + count));
            expect(state.isWhole).toBe(count === all.length);
            expect(state.last).toBe(all.at(-1) ?? 0);
          }
        },
      ),
      { numRuns: runs, seed },
    );
  });

  it('is everything where the limits allow it', () => {
    assert(
      property(someEvents, boolean(), (events, newest) => {
        const range = { after: 0, maxEvents: 1e6, maxBytes: 1e9, newest };
        const states = fitting(viewsOf(events, 5), range);
        expect(states.every(({ isWhole }) => isWhole)).toBe(true);
      }),
      { numRuns: runs, seed },
    );
  });

  it('costs a bounded number of looks, however many rooms keep the same events', () => {
    let looks = 0;
    const room: RoomView = { last: 1_000, length: 1_000, at: (n) => (looks++, entryAt(n, 1)) };
    const rooms = Array.from({ length: 800 }, () => room);
    const states = fitting(rooms, { after: 0, maxEvents: 1_000, maxBytes: 1e6 });
    expect(looks).toBeLessThanOrEqual(50_000);
    expect(states.filter(({ isWhole }) => isWhole)).toHaveLength(50);
  });

  it('leaves rooms out without a look once the limits are used up', () => {
    const events = Array.from({ length: 100 }, (_, n) => ({ position: n, bytes: 9, rooms: [0] }));
    const [full] = viewsOf(events, 1) as [RoomView];
    let looks = 0;
    const other = viewsOf(
      events.map((event) => ({ ...event, position: event.position + 1e3 })),
      1,
    );
    const counted: RoomView = { ...other[0]!, at: (n) => (looks++, other[0]!.at(n)) };
    const rooms = [full, ...Array.from({ length: 1_000 }, () => counted)];
    fitting(rooms, { after: 0, maxEvents: 100, maxBytes: 1e9 });
    expect(looks).toBeLessThanOrEqual(1_000);
  });
});
