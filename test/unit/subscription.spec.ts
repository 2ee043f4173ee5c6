// What a reader does with a log that knows more than its process.
import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { Hub } from '../../lib/hub/hub.js';
import type { LoggedEvent } from '../../lib/log/event.js';
import type { Head, LogFollower } from '../../lib/log/event-log.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { SSE_DEFAULTS } from '../../lib/options/defaults.js';

/** As a log elsewhere: what it keeps does not reach its follower before the test says so. */
class RemoteLog extends MemoryEventLog {
  readonly held: LoggedEvent[] = [];
  reached!: LogFollower;
  override follow(follower: LogFollower): Promise<Head> {
    this.reached = follower;
    const none = (): void => {};
    const hold = (event: LoggedEvent): void => void this.held.push(event);
    return super.follow({ event: hold, rooms: () => [], lost: none, caughtUp: none });
  }
}

async function openHub() {
  const log = new RemoteLog(SSE_DEFAULTS.history);
  const hub = new Hub(log);
  await hub.start();
  const read: unknown[] = [];
  const readToEnd = (): void => {
    hub.stream('job', { until: ['done'] }).subscribe({
      next: ({ type }) => read.push(type),
      complete: () => read.push('the end'),
    });
  };
  return { log, hub, read, readToEnd };
}

describe('a reader whose stream has an end', () => {
  it('waits for a last event that is kept and has not come yet', async () => {
    const { log, hub, read, readToEnd } = await openHub();
    await hub.to('job').emit('done', {});
    readToEnd();
    await turn();
    expect(read).toEqual([]);
    for (const event of log.held) log.reached.event(event);
    expect(read).toEqual(['done', 'the end']);
  });

  it('is at the end when the last event was lost on its way', async () => {
    const { log, hub, read, readToEnd } = await openHub();
    readToEnd();
    await turn();
    await hub.to('job').emit('done', {});
    log.reached.lost({ rooms: ['job'], reason: 'trimmed' });
    log.reached.caughtUp(await log.head());
    await turn();
    expect(read).toEqual(['sse-gap', 'the end']);
  });
});

describe('a reader that catches up', () => {
  it('is told once per reason of what was lost meanwhile, with all rooms', async () => {
    const { log, hub } = await openHub();
    const gaps: unknown[] = [];
    let give!: (messages: []) => void;
    const snapshot = () => new Promise<[]>((resolve) => (give = resolve));
    const options = { snapshot, connection: false } as const;
    hub.stream(['a', 'b', 'c'], options).subscribe(({ data }) => gaps.push(data));
    await turn();
    for (let n = 0; n < 1_000; n++) {
      log.reached.lost({ rooms: [n % 2 === 0 ? 'a' : 'b'], reason: 'trimmed' });
    }
    log.reached.lost({ rooms: ['c'], reason: 'overflow' });
    give([]);
    await turn();
    give([]);
    await turn();
    expect(gaps).toEqual([
      { rooms: ['a', 'b'], reason: 'trimmed' },
      { rooms: ['c'], reason: 'overflow' },
    ]);
  });

  it('may let as much wait after its log became another one as before', async () => {
    const { log, hub } = await openHub();
    let failure: unknown;
    const snapshot = () => new Promise<[]>(() => {});
    const options = { snapshot, connection: false } as const;
    hub.stream('a', options).subscribe({ error: (error: unknown) => (failure = error) });
    await turn();
    const emit = async (): Promise<void> => {
      await hub.to('a').emit('e', 'x'.repeat(900_000));
      log.reached.event(log.held.pop()!);
    };
    await emit();
    log.reached.caughtUp({ epoch: 'other', position: 0 });
    await emit();
    expect(failure).toBeUndefined();
    await emit();
    expect(failure).toMatchObject({ code: 'SSE_OVERFLOW' });
  });
});
