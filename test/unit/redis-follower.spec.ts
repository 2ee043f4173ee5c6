import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { LoggedEvent } from '../../lib/log/event.js';
import type { Gap, Head, LogFollower } from '../../lib/log/event-log.js';
import { decodeEvent } from '../../lib/log/event-text.js';
import { Follower, type FollowerSource } from '../../lib/redis/follower.js';
import { until } from '../support/until.js';

describe('Follower', () => {
  const open: Follower[] = [];
  afterEach(() => {
    for (const follower of open.splice(0)) follower.close();
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  /** A log of which the test says where it stands. */
  async function follow(...heads: Head[]) {
    let last = Number.MAX_SAFE_INTEGER;
    /** Positions of events that no notice brought. */
    const stored: number[] = [];
    const entryAt = (position: number) => ({
      event: decodeEvent('e', position, '[["a"],"json"]\ndata: 1\n')!,
      previous: 0,
    });
    const seen: string[] = [];
    const hub: LogFollower = {
      event: ({ position }: LoggedEvent) => seen.push(`event ${position}`),
      rooms: () => ['a'],
      lost: ({ reason }: Gap) => seen.push(`lost ${reason}`),
      caughtUp: ({ epoch }: Head) => seen.push(`caught up ${epoch}`),
    };
    const endings: number[] = [];
    let asked = 0;
    let begun: Head | undefined;
    const headNow = (): Head => begun ?? heads[Math.min(asked, heads.length) - 1]!;
    const source: FollowerSource = {
      head: async () => (asked++, headNow()),
      end: async ({ epoch, position }) => {
        seen.push(`end ${epoch} after ${position}`);
        return (begun = { epoch: `after ${epoch}`, position: position + 1 });
      },
      read: async (asks) => ({
        epoch: headNow().epoch,
        events: 0,
        bytes: 0,
        rooms: asks.map(({ after }) => {
          const entries = stored.filter((position) => position > after).map(entryAt);
          return { last, entries, isWhole: true, isDamaged: false };
        }),
      }),
      probe: async () => {},
      resubscribe: () => {},
      endsIn: (ms) => endings.push(ms),
    };
    const follower = new Follower(hub, source, {
      hub: '',
      tailBytes: 1_000,
      probeIntervalMs: 60_000,
    });
    open.push(follower);
    await follower.begin();
    await turn();
    const lose = (): void => {
      last = 0;
      stored.length = 0;
    };
    return { follower, seen, stored, endings, asked: () => asked, lose };
  }

  const turn = async (): Promise<void> => {
    for (let n = 0; n < 3; n++) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const notice = (epoch: string, position: number, before = position - 1): string =>
    `n3 ${epoch} ${position} ${before} 0\n[["a"],"json"]\nevent: t\ndata: 1\n`;

  it('comes to rest when a log came and went that it only heard of', async () => {
    // The head is looked at again some milliseconds after a notice of a former log: here never.
    jest.useFakeTimers({
      doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick', 'performance'],
    });
    const { follower, seen, asked } = await follow(
      { epoch: 'one', position: 5 },
      { epoch: 'three', position: 8 },
      { epoch: 'three', position: 9 },
    );
    follower.message(notice('two', 7));
    await turn();
    follower.message(notice('two', 8));
    follower.message(notice('three', 9));
    await turn();
    expect(seen).toEqual(['caught up three', 'event 9']);
    expect(asked()).toBeLessThan(4);
  });

  it('knows from notices how many entries there are, and of entries that end', async () => {
    const { follower, endings } = await follow({ epoch: 'one', position: 5 });
    const set = (position: number, more: string): string =>
      `n3 one ${position} ${position - 1} 0${more}\n[["a"],"json"]\nevent: t\ndata: 1\n`;
    follower.message(set(6, ''));
    expect(follower.head).toEqual({ epoch: 'one', position: 6 });
    follower.message(set(7, ' 1 30000'));
    follower.message(set(8, ' 2'));
    expect(follower.head).toEqual({ epoch: 'one', position: 8, entries: 2 });
    expect(endings).toEqual([30_000]);
  });

  it('ends a log for all that had ended and comes back', async () => {
    const { follower, seen } = await follow(
      { epoch: 'one', position: 5 },
      { epoch: 'two', position: 7 },
      { epoch: 'one', position: 8 },
    );
    follower.message(notice('two', 7));
    await turn();
    follower.subscribed();
    await turn();
    follower.message(notice('one', 9));
    expect(seen).toEqual(['caught up two', 'end one after 8', 'caught up after one']);
  });

  it('looks whether a log has come back when it hears of one that had ended', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate'] });
    const { follower, seen } = await follow(
      { epoch: 'one', position: 5 },
      { epoch: 'two', position: 7 },
      { epoch: 'one', position: 8 },
    );
    follower.message(notice('two', 7));
    await turn();
    follower.message(notice('one', 8));
    await jest.advanceTimersByTimeAsync(1_000);
    await turn();
    expect(seen).toEqual(['caught up two', 'end one after 8', 'caught up after one']);
  });

  it('ends the log for all when its head has gone back', async () => {
    const { follower, seen } = await follow(
      { epoch: 'one', position: 5 },
      { epoch: 'one', position: 4 },
    );
    follower.subscribed();
    await turn();
    expect(seen).toEqual(['end one after 5', 'caught up after one']);
  });

  it('ends the log for all when a notice goes on from before where it was', async () => {
    const { follower, seen } = await follow(
      { epoch: 'one', position: 5 },
      { epoch: 'one', position: 9 },
    );
    follower.message(notice('one', 6));
    follower.message(notice('one', 9, 5));
    await turn();
    expect(seen).toEqual(['event 6', 'end one after 9', 'caught up after one']);
  });

  it('ends the log for all when that lacks an event it has handed on', async () => {
    const { follower, seen, lose } = await follow(
      { epoch: 'one', position: 5 },
      { epoch: 'one', position: 6 },
    );
    follower.message(notice('one', 6));
    lose();
    follower.subscribed();
    await turn();
    expect(seen).toEqual(['event 6', 'end one after 6', 'caught up after one']);
  });

  it('ends the log for all when that lacks an event that a repair has brought', async () => {
    const { follower, seen, stored, lose } = await follow(
      { epoch: 'e', position: 5 },
      { epoch: 'e', position: 7 },
    );
    stored.push(7);
    follower.subscribed();
    await turn();
    expect(seen).toEqual(['event 7', 'caught up e']);
    lose();
    follower.subscribed();
    await turn();
    expect(seen.slice(2)).toEqual(['end e after 7', 'caught up after e']);
  });

  it('goes on where a read has failed, and reads nothing twice', async () => {
    const rooms = Array.from({ length: 2_500 }, (_none, n) => `room ${n}`);
    const calls: string[] = [];
    let position = 5;
    let isDone = false;
    const source: FollowerSource = {
      head: async () => ({ epoch: 'e', position }),
      end: () => Promise.reject(new Error('nothing has gone back')),
      read: async (asks) => {
        calls.push(`${asks[0]?.room} and ${asks.length - 1} more`);
        if (calls.length === 2) throw new Error('no answer');
        const state = { last: 0, entries: [], isWhole: true, isDamaged: false };
        return { epoch: 'e', events: 0, bytes: 0, rooms: asks.map(() => state) };
      },
      probe: async () => {},
      resubscribe: () => {},
      endsIn: () => {},
    };
    const hub: LogFollower = {
      event() {},
      rooms: () => rooms,
      lost() {},
      caughtUp: () => (isDone = true),
    };
    const options = { hub: '', tailBytes: 1_000, probeIntervalMs: 60_000 };
    const follower = new Follower(hub, source, options);
    open.push(follower);
    await follower.begin();
    await turn();
    position = 7;
    follower.subscribed();
    await until('the end of the repair', () => isDone);
    expect(calls).toEqual([
      'room 0 and 999 more',
      'room 1000 and 999 more',
      'room 1000 and 999 more',
      'room 2000 and 499 more',
    ]);
  });

  it('looks at the head when a notice comes again that was taken', async () => {
    const { follower, seen } = await follow(
      { epoch: 'one', position: 5 },
      { epoch: 'one', position: 3 },
    );
    follower.message(notice('one', 6));
    follower.message(notice('one', 3));
    await turn();
    expect(seen).toEqual(['event 6', 'end one after 6', 'caught up after one']);
  });

  it('asks for the head once, however many notices cannot be read, and shows it', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate'] });
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const { follower, seen, asked } = await follow({ epoch: 'one', position: 5 });
    const before = asked();
    for (let n = 0; n < 1_000; n++) follower.message(`n3 one ${6 + n} 5 0\nnot json`);
    expect(follower.trouble).toContain('cannot be read');
    await jest.advanceTimersByTimeAsync(0);
    expect(asked()).toBe(before + 1);
    for (let n = 0; n < 1_000; n++) follower.message('garbage');
    await jest.advanceTimersByTimeAsync(999);
    expect(asked()).toBe(before + 1);
    await jest.advanceTimersByTimeAsync(1);
    expect(asked()).toBe(before + 2);
    expect(warn).toHaveBeenCalledTimes(1);
    follower.message(notice('one', 6));
    expect(seen).toEqual(['event 6']);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(follower.trouble).toBeUndefined();
  });
});
