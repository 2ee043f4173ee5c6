// What a subscription does with a log that knows more than its process.
import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { Hub } from '../../lib/hub/hub.js';
import { Subscriber } from 'rxjs';
import { ControlChannel } from '../../lib/hub/control-channel.js';
import { Delivery } from '../../lib/hub/delivery.js';
import type { HubStreamOptions } from '../../lib/hub/hub.options.js';
import { Subscription } from '../../lib/hub/subscription.js';
import {
  HubEvent,
  type EventMap,
  type LoggedEvent,
  type PublishedEvent,
} from '../../lib/log/event.js';
import type { Gap, Head, LogFollower } from '../../lib/log/event-log.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';

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

describe('a subscription whose stream has an end', () => {
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

describe('a subscription that catches up', () => {
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

  it('gets the state after a loss, if this process has not heard of any entry before', async () => {
    const { log, hub } = await openHub();
    const given: unknown[] = [];
    hub.stream('a', { connection: false }).subscribe(({ type, data }) => given.push([type, data]));
    await hub.state<Record<string, number>>('a').set('key', 1);
    log.reached.lost({ rooms: ['a'], reason: 'trimmed' }, await log.head());
    await turn();
    expect(given).toEqual([
      ['sse-state', { rooms: ['a'], entries: 1 }],
      ['sse-set', { room: 'a', key: 'key', value: 1 }],
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

describe('the phase of a subscription', () => {
  const loggedAt = (position: number, epoch: string): LoggedEvent => ({
    epoch,
    position,
    rooms: ['a'],
    message: { type: 'n', data: position },
    body: `event: n\ndata: ${position}\n`,
  });

  /** Live, with everything up to 10 behind it; what it gives its subscriber. */
  function open(options: HubStreamOptions<EventMap> = {}) {
    const log = new MemoryEventLog(SSE_DEFAULTS.history);
    const delivery = new Delivery(log, new ControlChannel(async () => {}));
    delivery.caughtUp({ epoch: 'e', position: 10 });
    const given: unknown[] = [];
    const subscriber = new Subscriber<PublishedEvent>({
      next: ({ type, data }) => given.push(type === 'sse-gap' ? (data as Gap).reason : data),
      error: () => given.push('error'),
      complete: () => given.push('end'),
    });
    const subscription = new Subscription(delivery, ['a'], options, subscriber, undefined);
    delivery.join(subscription);
    subscriber.add(subscription);
    subscription.start();
    const deliver = (position: number, epoch = 'e'): void =>
      subscription.deliver(new HubEvent(loggedAt(position, epoch)));
    return { delivery, subscription, subscriber, given, deliver };
  }
  type Opened = ReturnType<typeof open>;

  const never = (): Promise<never> => new Promise(() => {});
  const lost: Gap = { rooms: ['a'], reason: 'trimmed' };

  it.each<[string, HubStreamOptions<EventMap>, (opened: Opened) => void, unknown[]]>([
    ['live: an event is passed on', {}, ({ deliver }) => deliver(11), [11]],
    ['live: an event from before is left out', {}, ({ deliver }) => deliver(10), []],
    [
      'live: events of other types are left out',
      { types: ['x'] },
      ({ deliver }) => deliver(11),
      [],
    ],
    [
      'live: the last event ends it',
      { until: ['n'], snapshot: () => Promise.resolve([]) },
      ({ deliver }) => deliver(11),
      [11, 'end'],
    ],
    ['catching up: an event waits', { snapshot: never }, ({ deliver }) => deliver(11), []],
    [
      'catching up after a loss: an event follows the gap',
      {},
      ({ subscription, deliver }) => {
        subscription.lost(lost);
        deliver(11);
      },
      ['trimmed', 11],
    ],
    [
      'catching up after another log: events of the old one are told as lost',
      {},
      ({ subscription, delivery, deliver }) => {
        subscription.lost(lost);
        deliver(11);
        delivery.caughtUp({ epoch: 'f', position: 3 });
        deliver(4, 'f');
      },
      ['trimmed', 'epoch', 4],
    ],
    [
      'ended: an event is ignored',
      {},
      ({ subscriber, deliver }) => {
        subscriber.unsubscribe();
        deliver(11);
      },
      [],
    ],
    [
      'ended: neither a loss nor another log brings it back',
      {},
      ({ subscription, subscriber, deliver }) => {
        subscriber.unsubscribe();
        subscription.lost(lost);
        subscription.restart();
        deliver(11);
      },
      [],
    ],
    ['ended with the hub', {}, ({ delivery }) => delivery.end(), ['end']],
    ['ended with its room', {}, ({ subscription }) => subscription.close('server'), ['end']],
  ])('%s', async (_title, options, act, expected) => {
    const opened = open(options);
    if (expected.at(-1) === 'end') await turn();
    act(opened);
    await turn();
    expect(opened.given).toEqual(expected);
  });

  it('decides which position may be written', async () => {
    const opened = open();
    const at = (): unknown => opened.subscription.position;
    expect(at()).toEqual({ epoch: 'e', position: 10, isHeld: false });
    opened.deliver(11);
    expect(at()).toEqual({ epoch: 'e', position: 10, isHeld: true });
    opened.subscription.cameOut('1.e.b');
    expect(at()).toEqual({ epoch: 'e', position: 11, isHeld: false });
    opened.delivery.caughtUp({ epoch: 'f', position: 3 });
    expect(at()).toEqual({ epoch: 'e', position: undefined, isHeld: true });
    await turn();
    expect(at()).toEqual({ epoch: 'f', position: 3, isHeld: false });
    expect(open({ lastEventId: false }).subscription.position).toBeUndefined();
  });
});
