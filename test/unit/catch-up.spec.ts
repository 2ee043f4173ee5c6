// What a returning client is given, and in which order.
import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import {
  SSE_DEFAULTS,
  type HubStreamOptions,
  type PublishedEvent,
  type SseMessage,
} from 'nestjs-eventstream';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';

type Options = Pick<HubStreamOptions<object>, 'onGap' | 'rewind' | 'snapshot' | 'until'>;

/** Room a keeps its last two events of 1 to 3; room b keeps both of 4 and 5. */
async function openHub() {
  const hub = new Hub(new MemoryEventLog({ ...SSE_DEFAULTS.history, maxEvents: 2 }));
  await hub.start();
  const begin = await hub.position();
  for (const n of [1, 2, 3]) await hub.to('a').emit('n', n);
  const middle = await hub.position();
  for (const n of [4, 5]) await hub.to('b').emit('n', n);
  return { hub, cursors: { none: undefined, begin, middle, unknown: 'whatever' } };
}

const shown = ({ type, data }: PublishedEvent | SseMessage): unknown =>
  type === 'sse-gap' ? `${(data as { reason: string }).reason} gap` : data;

/**
 * What a stream of both rooms gives. Event 6 is published while it catches up, and 7 when it is
 * live.
 */
async function give(from: 'none' | 'begin' | 'middle' | 'unknown', options: Options) {
  const { hub, cursors } = await openHub();
  const given: unknown[] = [];
  const lastEventId = cursors[from];
  hub.stream(['a', 'b'], { ...options, lastEventId, connection: false }).subscribe({
    next: (event) => given.push(shown(event)),
    complete: () => given.push('the end'),
    error: (error: Error) => given.push(error.message),
  });
  await hub.to('a').emit('n', 6);
  for (let n = 0; n < 5; n++) await turn();
  await hub.to('a').emit('n', 7);
  await hub.close();
  return given;
}

const snapshot = (): Promise<SseMessage[]> => Promise.resolve([{ data: 'state' }]);

describe('a client that subscribes', () => {
  it.each<[string, Parameters<typeof give>[0], Options, unknown[]]>([
    ['without a cursor gets what comes', 'none', {}, [6, 7, 'the end']],
    ['to the last two gets them first', 'none', { rewind: 2 }, [4, 5, 6, 7, 'the end']],
    ['to a state gets it first', 'none', { snapshot }, ['state', 6, 7, 'the end']],
    ['with a cursor gets what it missed', 'middle', {}, [4, 5, 6, 7, 'the end']],
    [
      'with a cursor gets no state that it does not need',
      'middle',
      { snapshot },
      [4, 5, 6, 7, 'the end'],
    ],
    ['after a gap gets the other rooms', 'begin', {}, ['trimmed gap', 4, 5, 6, 7, 'the end']],
    [
      'after a gap gets the state before the other rooms',
      'begin',
      { snapshot },
      ['trimmed gap', 'state', 4, 5, 6, 7, 'the end'],
    ],
    [
      'after a gap may skip the replay',
      'begin',
      { onGap: 'skip' },
      ['trimmed gap', 6, 7, 'the end'],
    ],
    ['after a gap may end', 'begin', { onGap: 'end' }, ['trimmed gap', 'the end']],
    ['with a foreign cursor gets a gap', 'unknown', {}, ['unknown gap', 6, 7, 'the end']],
    [
      'to a state that fails gets the error',
      'none',
      { snapshot: () => Promise.reject(new Error('no state')) },
      ['no state'],
    ],
    [
      'to a state that is no list gets the error',
      'none',
      { snapshot: () => Promise.resolve('all' as never) },
      ['stream().snapshot: expected a promise of an array of messages, got "all"'],
    ],
    ['to a finished job is at the end', 'none', { until: ['n'], rewind: 1 }, [5, 'the end']],
    [
      'to a job whose state is its end gets no more',
      'none',
      { until: ['done'], snapshot: () => Promise.resolve([{ type: 'done', data: 'state' }]) },
      ['state', 'the end'],
    ],
  ])('%s', async (_title, from, options, expected) => {
    expect(await give(from, options)).toEqual(expected);
  });
});

describe('what is published while a client catches up', () => {
  it('follows what it missed once, in order, also where the app publishes because of it', async () => {
    const { hub, cursors } = await openHub();
    const given: unknown[] = [];
    const options = { lastEventId: cursors.middle, connection: false } as const;
    hub.stream(['a', 'b'], options).subscribe(({ data }) => {
      given.push(data);
      if (data === 4 || data === 6) void hub.to('a').emit('n', (data as number) * 10);
    });
    await hub.to('a').emit('n', 6);
    for (let n = 0; n < 5; n++) await turn();
    expect(given).toEqual([4, 5, 6, 40, 60]);
    await hub.close();
  });

  it('stays away from a subscriber that has left', async () => {
    const { hub, cursors } = await openHub();
    const given: unknown[] = [];
    const options = { lastEventId: cursors.middle, connection: false } as const;
    const subscription = hub.stream(['a', 'b'], options).subscribe(({ data }) => {
      given.push(data);
      subscription.unsubscribe();
    });
    await hub.to('a').emit('n', 6);
    for (let n = 0; n < 5; n++) await turn();
    expect([given, hub.size()]).toEqual([[4], 0]);
    await hub.close();
  });
});
