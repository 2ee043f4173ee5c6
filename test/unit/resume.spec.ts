import { describe, expect, it } from '@jest/globals';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { encodeBody } from '../../lib/wire/frame.js';
import { parseLastEventId } from '../../lib/wire/last-event-id.js';
import type { RoomEntry } from '../../lib/log/event-log.js';
import { isCovered, positionIn, readMissed, readRewind } from '../../lib/log/resume.js';

const HEAD = { epoch: 'now', position: 100 };

describe('what a last event ID says to a log', () => {
  it.each([
    ['1.now.2s', 100],
    ['1.now.1', 1],
    ['1.now.0', 0],
    ['1.now.2t', 'unknown'],
    ['1.old.1', 'epoch'],
    ['1.old.1~1.now.2', 2],
    ['1.now.2~1.old.1', 2],
    ['1.old.1~1.older.2', 'epoch'],
    ['', 'unknown'],
    ['7', 'unknown'],
    ['1.now.02', 'unknown'],
    ['1.now.2~', 'unknown'],
    ['1.now.2 ', 'unknown'],
    [`1.now.${'z'.repeat(11)}`, 'unknown'],
    [`${'1.old.1~'.repeat(16)}1.now.1`, 'unknown'],
  ])('%s: %p', (text, says) => {
    expect(positionIn(HEAD, parseLastEventId(text).cursors)).toBe(says);
  });
});

describe('what a last event ID says to a log that knows where its epoch began', () => {
  it.each([
    ['1.now.1d', 'unknown'],
    ['1.now.1e', 50],
    ['1.now.1f', 51],
    ['1.now.2s', 100],
  ])('%s: %p', (text, says) => {
    expect(positionIn({ ...HEAD, begin: 50 }, parseLastEventId(text).cursors)).toBe(says);
  });

  it('takes what an empty log gave out', async () => {
    const log = new MemoryEventLog(SSE_DEFAULTS.history);
    const head = await log.head();
    const message = { data: 'x' };
    await log.append({ rooms: ['a'], message, body: encodeBody(message) });
    expect(positionIn(await log.head(), [head])).toBe(head.position);
  });
});

describe('a room is covered', () => {
  const entry = (previous: number) => ({ previous }) as RoomEntry;
  it.each([
    ['when the next event follows one that the client has', 5, 9, entry(5), true],
    ['when the next event follows an older one', 5, 9, entry(3), true],
    ['not when the next event follows one that it lacks', 5, 9, entry(6), false],
    ['when nothing came after its cursor', 5, 5, undefined, true],
    ['when there never was anything', 5, 0, undefined, true],
    ['not when something came and is not kept', 5, 6, undefined, false],
  ])('%s', (_title, after, last, first, covered) => {
    expect(isCovered(after, last, first)).toBe(covered);
  });
});

describe('what was missed in several rooms', () => {
  it('counts an event of two rooms once against the cap', async () => {
    const log = new MemoryEventLog(SSE_DEFAULTS.history);
    const message = { data: 'x' };
    const body = encodeBody(message);
    const { epoch, position = 0 } = await log.append({ rooms: ['a'], message, body });
    for (let n = 0; n < 600; n++) await log.append({ rooms: ['a', 'b'], message, body });
    const missed = await readMissed(log, ['a', 'b'], [{ epoch, position }]);
    expect([missed.gaps, missed.events.length]).toEqual([[], 600]);
  });
});

describe('a new client of a log that becomes another one meanwhile', () => {
  it('gets nothing of the other', async () => {
    const message = { data: 1 };
    const event = { epoch: 'then', position: 50, rooms: ['a'], message, body: encodeBody(message) };
    const state = { last: 50, entries: [{ event, previous: 0 }], isWhole: true };
    const reads = (epoch: string) => ({
      head: async () => HEAD,
      read: async () => ({ epoch, rooms: [state] }),
    });
    expect((await readRewind(reads('now'), ['a'], { count: 5 })).events).toEqual([event]);
    expect((await readRewind(reads('then'), ['a'], { count: 5 })).events).toEqual([]);
  });
});
