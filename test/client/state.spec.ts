// Maps of state rooms, from a server that speaks their wire format.
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { ServerResponse } from 'node:http';
import { connect, type RoomState, type StateChange } from 'nestjs-eventstream/client';
import { sseContract } from 'nestjs-eventstream/contract';
import { StateMap } from '../../lib/wire/state-map.js';
import { until } from '../support/until.js';
import { answer, collect, endOf, open, status, streamOf } from './support.js';

const runs = Number(process.env['FC_RUNS'] ?? 2_000);
const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);

beforeAll(() => {
  process.stdout.write(`client/state: FC_SEED=${seed} FC_RUNS=${runs}\n`);
});

const frame = (type: string, data: unknown, id?: string): string =>
  `event: ${type}\ndata: ${JSON.stringify(data)}\n${id === undefined ? '' : `id: ${id}\n`}\n`;
const state = (rooms: string[], entries: number): string => frame('sse-state', { rooms, entries });
const set = (room: string, key: string, value: unknown, id?: string): string =>
  frame('sse-set', { room, key, value }, id);
const remove = (room: string, key: string, id?: string): string =>
  frame('sse-delete', { room, key }, id);
const plain = (data: unknown, id?: string): string => frame('message', data, id);

const FAST = 'retry: 10\n\n';
const AB = state(['prices'], 2) + set('prices', 'A', 1) + set('prices', 'B', 2);

type Prices = Record<string, number>;

const entriesOf = (map: ReadonlyMap<string, unknown>): unknown => Object.fromEntries(map);

/** All changes, in order. */
function changesOf(prices: RoomState<Prices>): {
  readonly got: StateChange<Prices>[];
  readonly over: Promise<void>;
} {
  const got: StateChange<Prices>[] = [];
  const read = async (): Promise<void> => {
    for await (const change of prices.changes) got.push(change);
  };
  return { got, over: read() };
}

/** A server whose n-th stream is written by the test. */
async function steered() {
  const streams: ServerResponse[] = [];
  const { url, requests } = await answer((response) => {
    streamOf(FAST)(response);
    streams.push(response);
  });
  return {
    url,
    requests,
    stream: async (n: number): Promise<ServerResponse> => {
      await until(`stream ${n}`, () => streams.length > n);
      return streams[n]!;
    },
  };
}

describe('the map of a state room', () => {
  it('has the entries of the state, and then each change', async () => {
    const server = await steered();
    const stream = open(server.url);
    const prices = stream.stateOf<Prices>('prices');
    expect([prices.size, entriesOf(prices)]).toEqual([0, {}]);
    const response = await server.stream(0);
    response.write(AB);
    await prices.ready;
    expect(entriesOf(prices)).toEqual({ A: 1, B: 2 });
    expect([prices.get('A'), prices.get('C'), prices.has('B'), prices.size]).toEqual([
      1,
      undefined,
      true,
      2,
    ]);
    expect([[...prices], [...prices.keys()], [...prices.values()]]).toEqual([
      [
        ['A', 1],
        ['B', 2],
      ],
      ['A', 'B'],
      [1, 2],
    ]);
    response.write(set('prices', 'C', null, '1') + remove('prices', 'A', '2'));
    await until('the changes', () => !prices.has('A'));
    expect([entriesOf(prices), stream.lastEventId]).toEqual([{ B: 2, C: null }, '2']);
  });

  it('is the same for each call', async () => {
    const { url } = await answer(streamOf(AB));
    const stream = open(url);
    const prices = stream.stateOf<Prices>('prices');
    await prices.ready;
    expect(stream.stateOf('prices')).toBe(prices);
    expect(stream.stateOf('prices', [['Z', 0]])).toBe(prices);
    expect(entriesOf(prices)).toEqual({ A: 1, B: 2 });
  });

  it('of an empty state is ready, and empty', async () => {
    const { url } = await answer(streamOf(state(['prices'], 0)));
    const prices = open(url).stateOf('prices');
    const { value } = await prices.changes[Symbol.asyncIterator]().next();
    await prices.ready;
    expect([value, prices.size]).toEqual([{ kind: 'state' }, 0]);
  });

  it('keeps a key that objects have from birth', async () => {
    const { url } = await answer(
      streamOf(state(['prices'], 2) + set('prices', '__proto__', 1) + set('prices', '', 2)),
    );
    const prices = open(url).stateOf<Prices>('prices');
    await prices.ready;
    expect([...prices]).toEqual([
      ['__proto__', 1],
      ['', 2],
    ]);
  });

  it('has a state only when it is whole, whatever comes between its entries', async () => {
    const server = await steered();
    const stream = open(server.url);
    const prices = stream.stateOf<Prices>('prices');
    const seen: [unknown, unknown][] = [];
    stream.subscribe(({ type, data }) => void seen.push([type, { data, map: entriesOf(prices) }]));
    const response = await server.stream(0);
    response.write(AB);
    await prices.ready;
    response.write(
      state(['prices'], 2) +
        ': keep-alive\n\n' +
        set('prices', 'C', 3) +
        plain('news') +
        set('other', 'D', 4) +
        set('prices', 'E', 5) +
        plain('end'),
    );
    await until('all events', () => seen.length === 9);
    expect(seen.map(([, event]) => (event as { map: unknown }).map)).toEqual([
      {},
      {},
      { A: 1, B: 2 },
      { A: 1, B: 2 },
      { A: 1, B: 2 },
      { A: 1, B: 2 },
      { A: 1, B: 2 },
      { C: 3, E: 5 },
      { C: 3, E: 5 },
    ]);
  });

  it('takes a change with an id for no entry of a state that is arriving', async () => {
    const { url } = await answer(
      streamOf(AB + state(['prices'], 1) + set('prices', 'A', 7, '1') + plain('look')),
    );
    const stream = open(url);
    const prices = stream.stateOf<Prices>('prices');
    await new Promise((resolve) => stream.on('message', resolve));
    expect(entriesOf(prices)).toEqual({ A: 7, B: 2 });
  });

  it('has changed before a listener that was there before it hears of it', async () => {
    const { url } = await answer(streamOf(AB + set('prices', 'A', 7, '1')));
    const stream = open(url);
    const heard = new Promise((resolve) =>
      stream.on('sse-set', ({ id }) => id === '1' && resolve(prices.get('A'))),
    );
    const prices = stream.stateOf<Prices>('prices');
    expect(await heard).toBe(7);
  });

  it('of a room that never had an entry, which sends no state, begins with a change', async () => {
    const server = await steered();
    const stream = open(server.url);
    const prices = stream.stateOf<Prices>('prices');
    const { got } = changesOf(prices);
    let isReady = false;
    void prices.ready.then(() => (isReady = true));
    const response = await server.stream(0);
    response.write('id: 0\n\n');
    await until('the id', () => stream.lastEventId === '0');
    expect(isReady).toBe(false);
    response.write(set('prices', 'A', 1, '1'));
    await prices.ready;
    await until('the change', () => got.length === 1);
    expect([got, entriesOf(prices)]).toEqual([[{ kind: 'set', key: 'A', value: 1 }], { A: 1 }]);
  });

  it('is not changed by a change within its first state', async () => {
    const { url } = await answer(
      streamOf(
        state(['prices'], 2) + set('prices', 'A', 1) + set('prices', 'B', 2, '1') + plain(0),
      ),
    );
    const stream = open(url);
    const prices = stream.stateOf<Prices>('prices');
    await new Promise((resolve) => stream.on('message', resolve));
    expect(prices.size).toBe(0);
    stream.close();
    await expect(prices.ready).rejects.toMatchObject({ code: 'SSE_STATE' });
  });
});

describe('several state rooms', () => {
  it('have a map each', async () => {
    const { url } = await answer(
      streamOf(
        state(['a'], 1) +
          state(['b'], 2) +
          set('b', 'x', 1) +
          set('a', 'x', 2) +
          set('b', 'y', 3) +
          set('a', 'y', 4, '1'),
      ),
    );
    const stream = open(url);
    const [a, b] = [stream.stateOf('a'), stream.stateOf('b')];
    await until('the change', () => a.has('y'));
    expect([entriesOf(a), entriesOf(b)]).toEqual([
      { x: 2, y: 4 },
      { x: 1, y: 3 },
    ]);
  });

  it('may come in one state', async () => {
    const { url } = await answer(
      streamOf(state(['a', 'b', 'c'], 2) + set('b', 'x', 1) + set('c', 'y', 2) + plain('look')),
    );
    const stream = open(url);
    const [a, b] = [stream.stateOf('a'), stream.stateOf('b')];
    await Promise.all([a.ready, b.ready]);
    expect([entriesOf(a), entriesOf(b)]).toEqual([{}, { x: 1 }]);
  });
});

describe('a connection that breaks', () => {
  it('within the first state leaves the map as it was, and the next has a whole one', async () => {
    const { url, requests } = await answer(
      endOf(FAST + state(['prices'], 2) + set('prices', 'X', 1)),
      streamOf(AB),
    );
    const prices = open(url).stateOf<Prices>('prices');
    await prices.ready;
    expect([entriesOf(prices), requests.length]).toEqual([{ A: 1, B: 2 }, 2]);
  });

  it('within a later state leaves the map as it was, and changes go on from there', async () => {
    const { url, requests } = await answer(
      endOf(FAST + AB + 'id: 5\n\n' + state(['prices'], 2) + set('prices', 'X', 1)),
      // One without an id, which could pass for the entry that is missing.
      streamOf(set('prices', 'B', 3) + set('prices', 'C', 4, '7')),
    );
    const prices = open(url).stateOf<Prices>('prices');
    await until('the changes', () => prices.has('C'));
    expect(entriesOf(prices)).toEqual({ A: 1, B: 3, C: 4 });
    expect(requests[1]?.headers['last-event-id']).toBe('5');
  });

  it('within an entry is as one within the state', async () => {
    const { url } = await answer(
      endOf(FAST + AB + state(['prices'], 1) + set('prices', 'X', 1).slice(0, -1)),
      streamOf(set('prices', 'C', 4, '7')),
    );
    const prices = open(url).stateOf<Prices>('prices');
    await until('the change', () => prices.has('C'));
    expect(entriesOf(prices)).toEqual({ A: 1, B: 2, C: 4 });
  });

  it('after the state changes nothing', async () => {
    const { url, requests } = await answer(
      endOf(FAST + AB + 'id: 5\n\n'),
      streamOf(remove('prices', 'A', '6')),
    );
    const prices = open(url).stateOf<Prices>('prices');
    const { got } = changesOf(prices);
    await until('the change', () => !prices.has('A'));
    await until('it is told', () => got.length === 2);
    expect(got).toEqual([{ kind: 'state' }, { kind: 'delete', key: 'A' }]);
    expect(requests[1]?.headers['last-event-id']).toBe('5');
  });
});

describe('the changes of a map', () => {
  it('are told to each loop, which begins with the state', async () => {
    const server = await steered();
    const stream = open(server.url);
    const prices = stream.stateOf<Prices>('prices');
    const first = changesOf(prices);
    const response = await server.stream(0);
    response.write(AB);
    await prices.ready;
    const second = changesOf(prices);
    // A key that is not there is not deleted.
    response.write(
      set('prices', 'A', 7, '1') +
        remove('prices', 'Z', '2') +
        remove('prices', 'B', '3') +
        state(['prices'], 0),
    );
    const all = [
      { kind: 'state' },
      { kind: 'set', key: 'A', value: 7 },
      { kind: 'delete', key: 'B' },
      { kind: 'state' },
    ];
    // The last state makes what a loop has not read superfluous.
    await until('the last state', () => prices.size === 0);
    await until('both', () => [first, second].every(({ got }) => got.at(-1)?.kind === 'state'));
    stream.close();
    await Promise.all([first.over, second.over]);
    for (const { got } of [first, second]) {
      expect(all).toEqual(expect.arrayContaining(got));
      expect(got.at(-1)).toEqual({ kind: 'state' });
    }
  });

  it('wait for a slow loop, which delays neither the map nor the stream', async () => {
    const count = 1_000;
    const sets = Array.from({ length: count }, (_, n) => set('prices', 'A', n, String(n)));
    const { url } = await answer(streamOf(AB + sets.join('')));
    const stream = open(url);
    const prices = stream.stateOf<Prices>('prices');
    const slow = prices.changes[Symbol.asyncIterator]();
    expect(await slow.next()).toEqual({ done: false, value: { kind: 'state' } });
    await until('all changes', () => stream.lastEventId === String(count - 1));
    for (let n = 0; n < count; n++) {
      expect(await slow.next()).toEqual({
        done: false,
        value: { kind: 'set', key: 'A', value: n },
      });
    }
  });

  it('become one state for a loop that is more than 1 000 behind', async () => {
    const count = 1_002;
    const sets = Array.from({ length: count }, (_, n) => set('prices', 'A', n, String(n)));
    const { url } = await answer(streamOf(AB + sets.join('')));
    const stream = open(url);
    const prices = stream.stateOf<Prices>('prices');
    const slow = prices.changes[Symbol.asyncIterator]();
    expect((await slow.next()).value).toEqual({ kind: 'state' });
    await until('all changes', () => stream.lastEventId === String(count - 1));
    expect((await slow.next()).value).toEqual({ kind: 'state' });
    expect((await slow.next()).value).toEqual({ kind: 'set', key: 'A', value: count - 1 });
  });

  it('become one state when a whole state comes', async () => {
    const { url } = await answer(
      streamOf(AB + set('prices', 'A', 2, '1') + AB + set('prices', 'A', 3, '2')),
    );
    const stream = open(url);
    const prices = stream.stateOf<Prices>('prices');
    const slow = prices.changes[Symbol.asyncIterator]();
    await until('all changes', () => stream.lastEventId === '2');
    expect((await slow.next()).value).toEqual({ kind: 'state' });
    expect((await slow.next()).value).toEqual({ kind: 'set', key: 'A', value: 3 });
  });

  it('end with the stream, once what is left was read', async () => {
    const { url } = await answer(endOf(FAST + AB + set('prices', 'A', 2, '1')), status(204));
    const stream = open(url);
    const prices = stream.stateOf<Prices>('prices');
    const slow = prices.changes[Symbol.asyncIterator]();
    await stream.closed;
    expect([await slow.next(), await slow.next(), await slow.next()]).toEqual([
      { done: false, value: { kind: 'state' } },
      { done: false, value: { kind: 'set', key: 'A', value: 2 } },
      { done: true, value: undefined },
    ]);
    // A loop that begins later, too.
    const { got, over } = changesOf(prices);
    await over;
    await prices.ready;
    expect([got, entriesOf(prices)]).toEqual([[{ kind: 'state' }], { A: 2, B: 2 }]);
  });

  it('throw what has ended the stream', async () => {
    const { url } = await answer(endOf(FAST + AB), status(404));
    const prices = open(url).stateOf<Prices>('prices');
    const { got, over } = changesOf(prices);
    await expect(over).rejects.toMatchObject({ code: 'SSE_STATUS', status: 404 });
    expect(got).toEqual([{ kind: 'state' }]);
  });

  it('may be left on a quiet stream, which stays open', async () => {
    const server = await steered();
    const stream = open(server.url);
    const prices = stream.stateOf<Prices>('prices');
    const loop = prices.changes[Symbol.asyncIterator]();
    const next = loop.next();
    await loop.return?.();
    expect(await next).toEqual({ done: true, value: undefined });
    (await server.stream(0)).write(AB);
    await prices.ready;
    expect([await loop.next(), stream.state]).toEqual([{ done: true, value: undefined }, 'open']);
  });

  it('that are left unread are not read by a loop that was left', async () => {
    const { url } = await answer(streamOf(AB));
    const prices = open(url).stateOf<Prices>('prices');
    await prices.ready;
    const loop = prices.changes[Symbol.asyncIterator]();
    await loop.return?.();
    expect(await loop.next()).toEqual({ done: true, value: undefined });
  });
});

describe('ready', () => {
  it.each<[string, Parameters<typeof answer>, unknown]>([
    ['has failed', [status(404)], { code: 'SSE_STATUS', status: 404 }],
    [
      'is complete',
      [status(204)],
      { code: 'SSE_STATE', message: 'the stream ended before the state came' },
    ],
  ])('rejects when the stream %s before', async (_what, answers, error) => {
    const { url } = await answer(...answers);
    const stream = open(url);
    const prices = stream.stateOf('prices');
    await expect(prices.ready).rejects.toMatchObject(error as object);
    await expect(stream.stateOf('later').ready).rejects.toMatchObject(error as object);
  });

  it('that nobody awaits is no unhandled rejection', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    const { url } = await answer(status(204));
    const stream = open(url);
    void stream.stateOf('prices').ready;
    await stream.closed;
    // Node reports one before it goes on to the next phase of its loop.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});

describe('what could make a map wrong is refused:', () => {
  const refused = (message: string): object =>
    expect.objectContaining({ name: 'SseClientError', code: 'SSE_STATE', message });

  it('a call after the state has passed', async () => {
    const late = refused(
      'stateOf("prices"): its entries have passed; call it right after connect()',
    );
    for (const text of [AB, state(['x', 'prices'], 0), set('prices', 'A', 1, '1')]) {
      const { url } = await answer(streamOf(text + plain('look')));
      const stream = open(url);
      await new Promise((resolve) => stream.on('message', resolve));
      expect(() => stream.stateOf('prices')).toThrow(late);
      // Nothing of another room has passed.
      expect(stream.stateOf('other').size).toBe(0);
    }
  });

  it('persist, which keeps a cursor and no entries', async () => {
    const { url } = await answer(streamOf(AB));
    const persist = { getItem: () => null, setItem: () => {} };
    const stream = open(url, { persist });
    expect(() => stream.stateOf('prices', [])).toThrow(
      refused('stateOf("prices"): persist keeps no entries; use a stream without persist'),
    );
  });

  it('a cursor without the entries of it', async () => {
    const { url, requests } = await answer(streamOf(set('prices', 'B', 7, '6')));
    const stream = open(url, { lastEventId: '5' });
    const without = refused(
      'lastEventId: stateOf() needs the entries as of that id; set undefined to get them again',
    );
    expect(() => stream.stateOf('prices')).toThrow(without);
    const entries = new Map([
      ['A', 1],
      ['B', 2],
    ]);
    const prices = stream.stateOf<Prices>('prices', entries);
    await prices.ready;
    expect(entriesOf(prices)).toEqual({ A: 1, B: 2 });
    const { got } = changesOf(prices);
    await until('the change', () => got.length === 2);
    expect(got).toEqual([{ kind: 'state' }, { kind: 'set', key: 'B', value: 7 }]);
    expect(entriesOf(prices)).toEqual({ A: 1, B: 7 });
    expect(entriesOf(entries)).toEqual({ A: 1, B: 2 });
    expect(requests[0]?.headers['last-event-id']).toBe('5');
    expect(() => (stream.lastEventId = '9')).toThrow(without);
    expect(stream.lastEventId).toBe('6');
  });

  it('a cursor that was set without the entries of it', async () => {
    const { url } = await answer(streamOf(''));
    const stream = open(url);
    stream.lastEventId = '5';
    expect(() => stream.stateOf('prices')).toThrow(/^lastEventId: /);
    stream.lastEventId = undefined;
    expect(stream.stateOf('prices').size).toBe(0);
  });

  it('but not a cursor that is taken away: the next attempt has a whole state', async () => {
    const server = await steered();
    const stream = open(server.url);
    const prices = stream.stateOf<Prices>('prices');
    const first = await server.stream(0);
    first.write(`${AB}id: 5\n\n`);
    await until('the id', () => stream.lastEventId === '5');
    stream.lastEventId = undefined;
    first.end();
    (await server.stream(1)).write(state(['prices'], 1) + set('prices', 'C', 3));
    await until('the state', () => prices.has('C'));
    expect(entriesOf(prices)).toEqual({ C: 3 });
    expect(server.requests[1]?.headers).not.toHaveProperty('last-event-id');
  });

  it('a parse() that hides the room', async () => {
    const { url } = await answer(streamOf(AB));
    const stream = open(url, { parse: (text) => text });
    const prices = stream.stateOf('prices');
    expect(await stream.closed).toMatchObject({
      reason: 'error',
      error: {
        code: 'SSE_DATA',
        message: 'an event "sse-state" names no room; parse() must return its JSON',
      },
    });
    await expect(prices.ready).rejects.toMatchObject({ code: 'SSE_DATA' });
  });
});

describe('a stream that is read without maps', () => {
  it('has the events as they come, also as texts', async () => {
    const { url } = await answer(streamOf(state(['prices'], 1) + set('prices', 'A', 1)));
    const stream = open(url, { parse: (text) => text });
    const got = collect(stream);
    await until('both', () => got.length === 2);
    expect(got).toEqual([
      { type: 'sse-state', data: '{"rooms":["prices"],"entries":1}', id: undefined },
      { type: 'sse-set', data: '{"room":"prices","key":"A","value":1}', id: undefined },
    ]);
  });

  it('has them in its loops and listeners beside a map, too', async () => {
    const { url } = await answer(streamOf(AB + remove('prices', 'A', '1')));
    const stream = open(url);
    stream.stateOf('prices');
    const got = collect(stream);
    await until('all', () => got.length === 4);
    expect(got.map(({ type }) => type)).toEqual(['sse-state', 'sse-set', 'sse-set', 'sse-delete']);
  });
});

describe('a value', () => {
  it('is what parse() makes of it', async () => {
    const { url } = await answer(
      streamOf(state(['days'], 1) + set('days', 'first', '2026-01-02T00:00:00.000Z')),
    );
    const parse = (text: string): unknown =>
      JSON.parse(text, (key, value) => (key === 'value' ? new Date(value as string) : value));
    const days = open(url, { parse }).stateOf<Record<string, Date>>('days');
    await days.ready;
    expect(days.get('first')?.getUTCFullYear()).toBe(2026);
  });

  it('passes a contract that has no such event, and is not checked', async () => {
    const refuses = (): { issues: [{ message: string }] } => ({ issues: [{ message: 'no' }] });
    const schema = { '~standard': { version: 1, vendor: 'test', validate: refuses } } as const;
    const contract = sseContract({ path: 'prices', events: { news: schema } });
    const { url } = await answer(streamOf(AB));
    const invalid: unknown[] = [];
    const stream = connect(contract, {
      baseUrl: url,
      validate: true,
      onInvalid: (event) => invalid.push(event),
    });
    const prices = stream.stateOf<Prices>('prices');
    await prices.ready;
    stream.close();
    expect([entriesOf(prices), invalid]).toEqual([{ A: 1, B: 2 }, []]);
  });
});

type Step =
  | { readonly is: 'set' | 'delete'; readonly key: string }
  | { readonly is: 'send' }
  | { readonly is: 'noise' }
  | { readonly is: 'cut'; readonly isLate: boolean };

/** What a server sends at once, and what its client knows then. */
interface Sent {
  readonly type: string;
  readonly data: unknown;
  /** The position, as the id. */
  readonly id?: number;
  /** The room at this moment is what the client's map has. */
  readonly at?: number;
}

const STEPS = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant<Step>({ is: 'send' }) },
    fc.constant<Step>({ is: 'noise' }),
    fc.record({
      is: fc.constantFrom('set' as const, 'delete' as const),
      key: fc.constantFrom('a', 'b', 'c'),
    }),
    fc.record({ is: fc.constant('cut' as const), isLate: fc.boolean() }),
  ),
  { maxLength: 80 },
);

/**
 * The model: a server with a room that changes at any time, also while a state is on its way, and
 * connections that are cut anywhere. A client that is new, or returns too late, gets the state.
 * Returns what each connection brings, and what the room is at each position.
 */
function play(steps: readonly Step[]) {
  const room = new Map<string, number>();
  const rooms: object[] = [{}];
  const log: Sent[] = [];
  const connections: Sent[][] = [];
  const cursors: (number | undefined)[] = [];
  let due: Sent[] = [];
  let cursor: number | undefined;

  const begin = (isLate: boolean): void => {
    connections.push([]);
    cursors.push(cursor);
    due = cursor === undefined || isLate ? wholeState() : log.slice(cursor);
  };
  const wholeState = (): Sent[] => {
    const at = log.length;
    const live = { type: 'message', data: 'live', id: at, at };
    // Such a room sends no state.
    if (at === 0) return [live];
    const entries = [['x', 'k', 0] as const, ...[...room].map(([k, v]) => ['r', k, v] as const)];
    const sets = entries.map(([name, key, value]) => ({
      type: 'sse-set',
      data: { room: name, key, value },
    }));
    const first = { type: 'sse-state', data: { rooms: ['x', 'r'], entries: sets.length } };
    const last = { ...sets.pop()!, at };
    return [first, ...sets, last, live];
  };
  const send = (): void => {
    const sent = due.shift();
    if (sent === undefined) return;
    connections.at(-1)!.push(sent);
    cursor = sent.id ?? cursor;
  };

  begin(false);
  for (const step of steps) {
    if (step.is === 'set' || step.is === 'delete') {
      const { key } = step;
      const at = log.length + 1;
      if (step.is === 'set') room.set(key, at);
      else room.delete(key);
      rooms.push(Object.fromEntries(room));
      const event = {
        type: `sse-${step.is}`,
        data: { room: 'r', key, ...(step.is === 'set' && { value: at }) },
        id: at,
        at,
      };
      log.push(event);
      due.push(event);
    } else if (step.is === 'noise') {
      connections.at(-1)!.push({ type: 'message', data: 'noise' });
      connections.at(-1)!.push({ type: 'sse-set', data: { room: 'o', key: 'a', value: 1 } });
      connections.at(-1)!.push({ type: 'sse-delete', data: { room: 'o', key: 'a' } });
    } else if (step.is === 'send') send();
    else if (step.is === 'cut') begin(step.isLate);
  }
  while (due.length > 0) send();
  return { connections, cursors, rooms };
}

describe('any order of states, changes and cuts', () => {
  it('leaves what the model has, after each event', () => {
    const holds = (steps: readonly Step[]): void => {
      const { connections, rooms } = play(steps);
      const map = new StateMap('r');
      let known = -1;
      for (const connection of connections) {
        map.drop();
        for (const { type, data, id, at } of connection) {
          const before = entriesOf(map);
          const event = { type, data, id: id === undefined ? undefined : String(id) };
          const change = type.startsWith('sse-') ? map.receive(event) : undefined;
          // Changes that a state had already are sent again if its cursor was cut off. So the map
          // is not compared with the model until it is as far again.
          known = Math.max(known, at ?? known);
          const now = entriesOf(map);
          const unlessEqual = change === undefined ? before : now;
          expect(now).toEqual(at === known ? rooms[known] : unlessEqual);
          // A state is whole with its last entry.
          expect(change?.kind === 'state' && at === undefined).toBe(false);
        }
      }
      expect(entriesOf(map)).toEqual(rooms.at(-1));
    };
    fc.assert(fc.property(STEPS, holds), { numRuns: runs, seed });
  });

  it('leaves what the model has, over connections', async () => {
    const holds = async (steps: readonly Step[]): Promise<void> => {
      const { connections, cursors, rooms } = play(steps);
      const texts = connections.map((sent) =>
        sent.map(({ type, data, id }) => frame(type, data, id?.toString())).join(''),
      );
      const last = texts.pop()! + plain('done');
      const { url, requests } = await answer(
        ...texts.map((text) => endOf(`retry: 1\n\n${text}`)),
        streamOf(last),
      );
      const stream = open(url);
      const map = stream.stateOf<Prices>('r');
      await new Promise<void>((resolve) => {
        stream.on('message', ({ data }) => data === 'done' && resolve());
      });
      stream.close();
      expect(entriesOf(map)).toEqual(rooms.at(-1));
      expect(requests.map(({ headers }) => headers['last-event-id'])).toEqual(
        cursors.map((cursor) => cursor?.toString()),
      );
    };
    const numRuns = Math.ceil(runs / 50);
    await fc.assert(fc.asyncProperty(STEPS, holds), { numRuns, seed });
  });
});
