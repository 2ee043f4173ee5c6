import { afterEach, describe, expect, it } from '@jest/globals';
import type { LoggedEvent } from '../../lib/event.js';
import type { Gap, Head, LogFollower } from '../../lib/event-log.js';
import { Follower, type FollowerSource } from '../../lib/redis/follower.js';

describe('Follower', () => {
  const open: Follower[] = [];
  afterEach(() => {
    for (const follower of open.splice(0)) follower.close();
  });

  /** A log of which the test says where it stands. */
  async function follow(...heads: Head[]) {
    const seen: string[] = [];
    const hub: LogFollower = {
      event: ({ position }: LoggedEvent) => seen.push(`event ${position}`),
      rooms: () => ['a'],
      lost: ({ reason }: Gap) => seen.push(`lost ${reason}`),
      caughtUp: ({ epoch }: Head) => seen.push(`caught up ${epoch}`),
    };
    let asked = 0;
    const source: FollowerSource = {
      head: async () => heads[Math.min(asked++, heads.length - 1)]!,
      missed: async () => ({ events: [], gaps: [], barrier: 0, stood: 0, epoch: '' }),
      had: async () => true,
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
    return { follower, seen, asked: () => asked };
  }

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const notice = (epoch: string, position: number): string =>
    `n ${epoch} ${position} ${position - 1} 0\n[["a"],"json",10]\nevent: t\ndata: 1\n\n`;

  it('comes to rest when a log came and went that it only heard of', async () => {
    const { follower, seen, asked } = await follow(
      { epoch: 'one', position: 5 },
      { epoch: 'three', position: 8 },
    );
    follower.message(notice('two', 7));
    await turn();
    follower.message(notice('two', 8));
    follower.message(notice('three', 9));
    await turn();
    expect(seen).toEqual(['caught up three', 'event 9']);
    expect(asked()).toBeLessThan(4);
  });

  it('hears a log again that had ended', async () => {
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
    expect(seen).toEqual(['caught up two', 'caught up one', 'event 9']);
  });
});
