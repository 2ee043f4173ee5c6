import { describe, expect, it } from '@jest/globals';
import { decodeEvent } from '../../lib/log/event-text.js';
import { Repair, type ReadChunk } from '../../lib/redis/repair.js';

const AT = { epoch: 'e', position: 100 };
const UP_TO = { epoch: 'e', position: 200 };
const ROOMS = Array.from({ length: 3_000 }, (_, n) => `room ${n}`);

const eventAt = (position: number, room: string, data = 'x') =>
  decodeEvent('e', position, `${JSON.stringify([[room], 'text'])}\ndata: ${data}\n`)!;

/**
 * A log in which each of these rooms has missed one event, at its number; it answers as far as the
 * limits allow.
 */
function logOf(room: string, positions: readonly number[], data?: string) {
  const calls: number[] = [];
  const read: ReadChunk = async (asks, { maxEvents }) => {
    calls.push(asks.length);
    const states = asks.map((ask) => {
      const all = ask.room === room ? positions.filter((position) => position > ask.after) : [];
      const given = all.slice(0, maxEvents === 0 ? 0 : 1);
      const entries = given.map((position) => ({
        event: eventAt(position, room, data),
        previous: positions[positions.indexOf(position) - 1] ?? 0,
      }));
      const last = ask.room === room ? (positions.at(-1) ?? 0) : 0;
      return { last, entries, isWhole: given.length === all.length, isDamaged: false };
    });
    return { epoch: 'e', rooms: states, events: 0, bytes: 0 };
  };
  return { read, calls };
}

/** Tries until it is done. Answers how often it failed. */
async function run(repair: Repair, rooms: readonly string[] = ROOMS): Promise<number> {
  let failures = 0;
  while (repair.isUnfinished(() => rooms)) await repair.readNext().catch(() => failures++);
  return failures;
}

const found = (repair: Repair): number[] => repair.missed.map(({ position }) => position);

describe('a repair', () => {
  it('goes on in a room where a read has stopped, and reads no other room twice', async () => {
    const { read, calls } = logOf('room 2500', [110, 120, 130, 210]);
    const repair = new Repair(AT, UP_TO, read);
    await run(repair);
    expect(found(repair)).toEqual([110, 120, 130]);
    expect(repair.gaps).toEqual([]);
    expect(calls).toEqual([1_000, 1_000, 1_000, 1, 1, 1]);
  });

  it('reads again only the chunk that failed', async () => {
    const { read, calls } = logOf('room 5', [110]);
    let tries = 0;
    const repair = new Repair(AT, UP_TO, async (asks, limits) => {
      if (++tries === 2) throw new Error('no answer');
      return read(asks, limits);
    });
    expect(await run(repair)).toBe(1);
    expect(calls).toEqual([1_000, 1_000, 1_000]);
    expect(found(repair)).toEqual([110]);
  });

  it('tells a room that Redis cannot answer as lost, after having halved its chunk', async () => {
    const { read } = logOf('room 1', [110]);
    const repair = new Repair(AT, UP_TO, async (asks, limits) => {
      if (asks.some(({ room }) => room === 'room 1234')) throw new Error('no answer');
      return read(asks, limits);
    });
    expect(await run(repair)).toBeLessThan(30);
    expect(repair.gaps).toEqual([{ rooms: ['room 1234'], reason: 'overflow' }]);
    expect(found(repair)).toEqual([110]);
  });

  it('tells rooms as lost beyond what it may keep, and comes to an end', async () => {
    const data = 'x'.repeat(1_000_000);
    const positions = Array.from({ length: 40 }, (_, n) => 101 + n);
    const { read, calls } = logOf('room 0', positions, data);
    const repair = new Repair(AT, UP_TO, read);
    await run(repair);
    expect(repair.gaps).toEqual([{ rooms: ['room 0'], reason: 'overflow' }]);
    expect(repair.missed).toEqual([]);
    expect(calls.length).toBeLessThan(25);
  });

  it('tells a room as lost of which something is gone, or cannot be read', async () => {
    const { read } = logOf('trimmed', [110]);
    const repair = new Repair(AT, UP_TO, async (asks, limits) => {
      const reply = await read(asks, limits);
      const rooms = reply.rooms.map((state, n) =>
        asks[n]?.room === 'damaged'
          ? { ...state, last: 150, isDamaged: true }
          : { ...state, entries: state.entries.map((each) => ({ ...each, previous: 105 })) },
      );
      return { ...reply, rooms };
    });
    await run(repair, ['trimmed', 'damaged', 'quiet']);
    expect(repair.gaps).toEqual([
      { rooms: ['trimmed'], reason: 'trimmed' },
      { rooms: ['damaged'], reason: 'unknown' },
    ]);
    expect(repair.missed).toEqual([]);
  });

  it('reads rooms that somebody begins to read meanwhile', async () => {
    const { read } = logOf('late', [110]);
    const rooms = ['early'];
    const repair = new Repair(AT, UP_TO, read);
    while (repair.isUnfinished(() => rooms)) {
      await repair.readNext();
      if (rooms.length === 1) rooms.push('late');
    }
    expect(found(repair)).toEqual([110]);
  });
});
