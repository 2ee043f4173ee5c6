import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { setImmediate as turn } from 'node:timers/promises';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { Delivery, type Receiver } from '../../lib/hub/delivery.js';
import { ControlChannel } from '../../lib/hub/control-channel.js';
import { Hub } from '../../lib/hub/hub.js';
import { formatCursor } from '../../lib/wire/cursor.js';
import type { HubEvent, LoggedEvent, PublishedEvent } from '../../lib/log/event.js';
import type { Gap } from '../../lib/log/event-log.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { collector } from '../support/collector.js';
import { fakeConnection } from 'nestjs-eventstream/testing';

async function openHub(history = SSE_DEFAULTS.history) {
  const log = new MemoryEventLog(history);
  const hub = new Hub(log);
  await hub.start();
  return { log, hub };
}

function openDelivery(control = new ControlChannel(async () => {})): Delivery {
  return new Delivery(new MemoryEventLog(SSE_DEFAULTS.history), control);
}

/** What a stream of the room gives, as it comes. */
function read(hub: Hub, room: string, lastEventId?: string): PublishedEvent[] {
  const events: PublishedEvent[] = [];
  hub.stream(room, { lastEventId }).subscribe((event) => events.push(event));
  return events;
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('events that many clients are given', () => {
  it('are the same object for all that return at about the same time', async () => {
    const { hub } = await openHub();
    const cursor = await hub.position();
    await hub.to('a').emit('n', 1);
    const clients = [read(hub, 'a', cursor), read(hub, 'a', cursor)];
    await turn();
    expect(clients.map((events) => events.length)).toEqual([1, 1]);
    expect(clients[0]?.[0]).toBe(clients[1]?.[0]);
  });

  it('are held by nobody when they were given, live and by a replay', async () => {
    const { hub } = await openHub();
    const cursor = await hub.position();
    const given: WeakRef<object>[] = [];
    const note = (event: object): void => void given.push(new WeakRef(event));
    hub.stream('a').subscribe(note);
    for (let n = 0; n < 50; n++) await hub.to('a').emit('n', { n });
    hub.stream('a', { lastEventId: cursor }).subscribe(note);
    await turn();
    expect(given).toHaveLength(100);
    collector()();
    expect(given.filter((ref) => ref.deref() !== undefined)).toEqual([]);
    // Though all of them are kept still.
    expect((await hub.history('a')).events).toHaveLength(50);
  });
});

describe('what goes wrong while an event is delivered', () => {
  const broken = (position: number, more: Partial<LoggedEvent> = {}): LoggedEvent => ({
    epoch: 'e',
    position,
    rooms: ['a'],
    get message(): never {
      throw new Error('cannot be read');
    },
    body: 'data: 1\n',
    ...more,
  });

  async function openBroken() {
    const { hub } = await openHub();
    const { delivery } = hub;
    delivery.caughtUp({ epoch: 'e', position: 1 });
    const [a, b] = [read(hub, 'a'), read(hub, 'b')];
    const next = (position: number, rooms = ['a', 'b']): void =>
      delivery.event({
        epoch: 'e',
        position,
        rooms,
        message: { type: 'n', data: position },
        body: `event: n\ndata: ${position}\n`,
      });
    return { delivery, a, b, next };
  }

  it('is told to the readers of its rooms as a loss, and what follows comes', async () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    const { delivery, a, b, next } = await openBroken();
    delivery.event(broken(2));
    next(3);
    await turn();
    expect(a.map(({ type, data }) => [type, data])).toEqual([
      ['sse-gap', { rooms: ['a'], reason: 'unknown' }],
      ['n', 3],
    ]);
    expect(b.map(({ type }) => type)).toEqual(['n']);
    expect(a.at(-1)?.id).toBe(formatCursor({ epoch: 'e', position: 3 }));
    expect(error).toHaveBeenCalledTimes(1);
  });

  it('is told to all readers where not even its rooms can be read', async () => {
    jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const { delivery, a, b, next } = await openBroken();
    const unreadable = Object.defineProperty(broken(2), 'rooms', {
      get: () => {
        throw new Error('cannot be read');
      },
    });
    delivery.event(unreadable);
    next(3);
    await turn();
    const types = ['sse-gap', 'n'];
    expect([a, b].map((events) => events.map(({ type }) => type))).toEqual([types, types]);
  });

  it('does not silence the hub when the logger fails too', async () => {
    for (const method of ['error', 'warn'] as const) {
      jest.spyOn(Logger.prototype, method).mockImplementation(() => {
        throw new Error('the disk is full');
      });
    }
    const { delivery, a, next } = await openBroken();
    delivery.event(broken(2));
    delivery.lost({ rooms: ['sse:control'], reason: 'unknown' });
    next(3);
    await turn();
    expect(a.map(({ type }) => type)).toEqual(['sse-gap', 'n']);
  });

  it('leaves the order as it was for what is published meanwhile', async () => {
    jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    const { hub } = await openHub();
    const seen: unknown[] = [];
    hub
      .stream('a', {
        filter: ({ data }) => {
          if (data === 1) for (const n of [2, 3]) void hub.to('a').emit('n', n);
          return true;
        },
      })
      .subscribe(({ data }) => seen.push(data));
    const other = read(hub, 'a');
    await hub.to('a').emit('n', 1);
    expect([seen, other.map(({ data }) => data)]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });
});

describe('the receivers of a room', () => {
  /** Notes what it is told. */
  class Noting implements Receiver {
    readonly notes: unknown[] = [];
    constructor(readonly rooms: readonly string[]) {}
    enter = (): boolean => false;
    deliver = ({ data }: HubEvent): void => void this.notes.push(data);
    lost = ({ rooms, reason }: Gap): void => void this.notes.push(`${reason} ${rooms.join()}`);
    restart = (): void => void this.notes.push('restart');
    close = (): void => void this.notes.push('close');
    end = (): void => void this.notes.push('end');
  }

  const loggedIn = (rooms: string[], position: number | undefined): LoggedEvent => ({
    epoch: 'e',
    position,
    rooms,
    message: { data: position ?? 'ephemeral' },
    body: 'data: 1\n',
  });

  it.each<[string, (delivery: Delivery) => void, unknown[], unknown[], number]>([
    ['an event of one room', (one) => one.event(loggedIn(['a'], 11)), [11], [], 11],
    ['one of both rooms, once', (one) => one.event(loggedIn(['a', 'b'], 11)), [11], [11], 11],
    ['one of a room that nobody reads', (one) => one.event(loggedIn(['c'], 11)), [], [], 11],
    [
      'an ephemeral one',
      (one) => one.event(loggedIn(['b'], undefined)),
      ['ephemeral'],
      ['ephemeral'],
      10,
    ],
    ['a control message', (one) => one.event(loggedIn(['sse:control'], 11)), [], [], 11],
    ['a loss', (one) => one.lost({ rooms: ['a', 'c'], reason: 'trimmed' }), ['trimmed a'], [], 10],
    [
      'another log',
      (one) => one.caughtUp({ epoch: 'f', position: 3 }),
      ['restart'],
      ['restart'],
      3,
    ],
    ['the same log, further on', (one) => one.caughtUp({ epoch: 'e', position: 12 }), [], [], 12],
    ['the end', (one) => one.end(), ['end'], ['end'], 10],
  ])('are told of %s', (_title, act, toBoth, toB, head) => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const delivery = openDelivery();
    delivery.caughtUp({ epoch: 'e', position: 10 });
    const [both, b] = [new Noting(['a', 'b']), new Noting(['b'])];
    delivery.join(both);
    delivery.join(b);
    act(delivery);
    expect([both.notes, b.notes, delivery.head.position]).toEqual([toBoth, toB, head]);
  });

  it('are those that have joined and not left', () => {
    const delivery = openDelivery();
    const [both, b] = [new Noting(['a', 'b']), new Noting(['b'])];
    delivery.join(both);
    delivery.join(b);
    expect([delivery.size(), delivery.size('a'), delivery.size('b')]).toEqual([2, 1, 2]);
    expect([delivery.readRooms(), delivery.rooms()]).toEqual([
      ['a', 'b'],
      ['a', 'b', 'sse:control'],
    ]);
    delivery.leave(both);
    expect([delivery.size('a'), delivery.size('b'), delivery.readRooms()]).toEqual([0, 1, ['b']]);
  });

  it.each<[string, (delivery: Delivery) => void]>([
    ['all streams', (delivery) => delivery.end()],
    ['a room', (delivery) => delivery.close('a', undefined)],
  ])('are ended with %s, whatever one of them throws', (_title, act) => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    const delivery = openDelivery();
    const failing = new Noting(['a']);
    failing.end = failing.close = () => {
      throw new Error('in a finalize');
    };
    const next = new Noting(['a']);
    const ended = jest.fn();
    next.end = next.close = ended;
    delivery.join(failing);
    delivery.join(next);
    act(delivery);
    expect(ended).toHaveBeenCalledTimes(1);
    expect(logged).toHaveBeenCalledTimes(1);
  });

  it('do not get control messages: the control channel does', () => {
    const control = new ControlChannel(async () => {});
    const delivery = openDelivery(control);
    const revocation = (user: string): LoggedEvent => ({
      ...loggedIn(['sse:control'], 1),
      message: { data: JSON.stringify({ revoke: { user } }) },
    });
    const heard: boolean[] = [];
    const connection = fakeConnection();
    connection.data['user'] = 'ann';
    delivery.event(revocation('ann'));
    control.onRevoke((isMeant) => heard.push(isMeant(connection)));
    delivery.event(revocation('ann'));
    delivery.event(revocation('bob'));
    expect(heard).toEqual([true, false]);
  });
});
