import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { LoggedEvent } from '../../lib/log/event.js';
import type { Gap, Head, LogFollower } from '../../lib/log/event-log.js';
import { Follower, type FollowerSource } from '../../lib/redis/follower.js';

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
    const seen: string[] = [];
    const hub: LogFollower = {
      event: ({ position }: LoggedEvent) => seen.push(`event ${position}`),
      rooms: () => ['a'],
      lost: ({ reason }: Gap) => seen.push(`lost ${reason}`),
      caughtUp: ({ epoch }: Head) => seen.push(`caught up ${epoch}`),
    };
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
        rooms: asks.map(() => ({ last, entries: [], isWhole: true, isDamaged: false })),
      }),
      probe: async () => {},
      listenAnew: () => {},
    };
    const follower = new Follower(hub, source, {
      hub: '',
      tailBytes: 1_000,
      probeIntervalMs: 60_000,
    });
    open.push(follower);
    await follower.begin();
    await turn();
    return { follower, seen, asked: () => asked, lose: () => (last = 0) };
  }

  const turn = async (): Promise<void> => {
    for (let n = 0; n < 3; n++) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const notice = (epoch: string, position: number, before = position - 1): string =>
    `n2 ${epoch} ${position} ${before} 0\n[["a"],"json"]\nevent: t\ndata: 1\n`;

  it('comes to rest when a log came and went that it only heard of', async () => {
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
    for (let n = 0; n < 1_000; n++) follower.message(`n2 one ${6 + n} 5 0\nnot json`);
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
