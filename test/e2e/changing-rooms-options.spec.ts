// What `changeable` does together with the other options of a stream, on real sockets.
import { describe, expect, it } from '@jest/globals';
import type { SseConnection, SseEvent } from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import { map, type Observable } from 'rxjs';
import { heapOf } from '../support/collector.js';
import { numbers, start, upToChange } from '../support/changing-rooms.js';
import { openGzip } from '../support/gzip-client.js';
import { ADAPTERS } from '../support/serve.js';
import { until } from '../support/until.js';

const END = { type: 'sse-end', id: 'sse-end', data: { reason: 'complete' } };

interface Refusal {
  readonly message: string;
  readonly code: string;
}

async function refusal(answer: Response): Promise<[number, string]> {
  return [answer.status, ((await answer.json()) as Refusal).message];
}

describe.each(ADAPTERS)('a stream whose rooms change (%s)', (adapter) => {
  describe('and that ends by `until`', () => {
    const ending = { until: ['done'] };

    it('ends with the end of a room that has joined', async () => {
      const { hub, emit, open, change } = await start(adapter, ending, { onComplete: 'close' });
      const { stream, token } = await open('a');
      await change({ stream: token, join: ['b'] });
      await upToChange(stream);
      await emit('a', 1);
      await hub.to('b').emit('done', 'over');
      await stream.ended;
      expect(stream.events.slice(-3)).toMatchObject([{ data: 1 }, { data: 'over' }, END]);
      const asked = await refusal(await change({ stream: token, join: ['c'] }));
      expect(asked).toEqual([404, expect.stringContaining('sse-open')]);
      expect(hub.rooms()).toEqual([]);
    });

    it('goes on after the end of a room that has left', async () => {
      const { hub, emit, open, change } = await start(adapter, ending, { onComplete: 'close' });
      const { stream, token } = await open('a,b');
      await change({ stream: token, leave: ['b'] });
      await hub.to('b').emit('done', 'over');
      await emit('a', 1);
      expect(await upToChange(stream)).toEqual([{ rooms: ['a'] }]);
      expect(await numbers(stream, 1)).toEqual([1]);
    });

    it('is not ended by the end of a room that came before the join', async () => {
      const { hub, emit, open, change } = await start(adapter, ending, { onComplete: 'close' });
      const { stream, token } = await open('a');
      await hub.to('b').emit('done', 'over');
      await change({ stream: token, join: ['b'] });
      await emit('b', 1);
      expect(await upToChange(stream)).toEqual([{ rooms: ['a', 'b'] }]);
      expect(await numbers(stream, 1)).toEqual([1]);
    });

    it('ends after a return, if the end of a joined room came meanwhile', async () => {
      const { hub, app, open, change } = await start(adapter, ending, { onComplete: 'close' });
      const { stream, token } = await open('a');
      await change({ stream: token, join: ['b'] });
      await upToChange(stream);
      stream.close();
      await hub.to('b').emit('n', 1);
      await hub.to('b').emit('done', 'over');
      const headers = { 'last-event-id': stream.cursor! };
      const again = app.open('/events?rooms=a', { headers });
      await again.ended;
      expect(again.events.filter(({ type }) => type !== 'sse-open')).toMatchObject([
        { data: 1 },
        { data: 'over' },
        END,
      ]);
    });
  });

  it('gives of a room that joins what `types` and `filter` let through', async () => {
    const filter = ({ data }: { data: unknown }) => Number(data) % 2 === 0;
    const options = { types: ['n'], filter, rewind: 10 };
    const { hub, emit, open, change } = await start(adapter, options);
    for (const n of [1, 2, 3, 4]) await emit('b', n);
    await hub.to('b').emit('other', 6);
    const { stream, token } = await open('a');
    await change({ stream: token, join: ['b'] });
    for (const n of [5, 6]) await emit('b', n);
    await hub.to('b').emit('other', 8);
    await emit('a', 10);
    const all = [...(await upToChange(stream))].filter((one) => typeof one === 'number');
    all.push(...(await numbers(stream, 4 - all.length)));
    expect(all).toEqual([2, 4, 6, 10]);
    // Also what came while it was away.
    stream.close();
    for (const n of [11, 12, 13, 14]) await emit('b', n);
    const again = await open('a', stream.cursor);
    expect([...again.before, ...(await numbers(again.stream, 2 - again.before.length))]).toEqual([
      12, 14,
    ]);
  });

  it('has rooms that change behind operators', async () => {
    const doubled = (events: Observable<SseEvent>) =>
      events.pipe(map((event) => ({ ...event, data: Number(event.data) * 2 })));
    const { emit, open, change } = await start(adapter, { rewind: 5 }, {}, doubled);
    await emit('b', 1);
    const { stream, token } = await open('a');
    await change({ stream: token, join: ['b'] });
    await emit('b', 2);
    await emit('a', 3);
    await stream.until(({ text }) => text.includes('data: 6\n'));
    await change({ stream: token, leave: ['a'] });
    await emit('a', 4);
    await emit('b', 5);
    await stream.until(({ text }) => text.includes('data: 10\n'));
    const got = [...stream.text.matchAll(/^data: (\d+)$/gm)].map(([, n]) => Number(n));
    // Room a does not wait for b, which still catches up.
    expect(got.filter((n) => n !== 6)).toEqual([2, 4, 10]);
    expect(got.filter((n) => n === 6)).toEqual([6]);
    const { cursor } = stream;
    stream.close();
    await emit('b', 6);
    const again = await open('a', cursor);
    expect(again.rooms).toEqual(['b']);
    expect(again.before.length > 0 ? again.before : await numbers(again.stream, 1)).toEqual([12]);
  });

  it('takes no memory for changes of the past', async () => {
    const { app, hub, emit } = await start(adapter, {}, { history: { maxEvents: 10 } });
    const stream = connect<{ n: number }>(`${app.url}/events?rooms=a`);
    const got: number[] = [];
    stream.on('n', ({ data }) => got.push(data));
    await until('it is open', () => stream.state === 'open');
    const change = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n++) {
        await stream.join('b', `c${n}`);
        await stream.leave('b', `c${n}`);
      }
    };
    await change(0, 500);
    const some = await heapOf(() => change(500, 1_000));
    // Three times as many changes, each with a room that is new, take no more.
    expect(await heapOf(() => change(1_000, 2_500))).toBeLessThan(Math.max(some, 0) + 1_000_000);
    expect(hub.rooms().filter((room) => !room.startsWith('sse:'))).toEqual(['a']);
    await emit('a', 1);
    await until('it goes on', () => got.length === 1);
    stream.close();
  }, 60_000);

  it('is compressed, before and after a change', async () => {
    const { app, emit, change } = await start(adapter, {}, { compression: true });
    const client = await openGzip({ url: `${app.url}/events?rooms=a` });
    expect(client.headers['content-encoding']).toBe('gzip');
    await client.until('it is open', (text) => text.includes('sse-open'));
    const { stream } = JSON.parse(client.data[0]!) as { stream: string };
    await emit('a', 1);
    await emit('b', 2);
    await change({ stream, join: ['b'] });
    await emit('b', 3);
    await client.until('the event of b', (text) => text.includes('data: 3\n'));
    await change({ stream, leave: ['a'] });
    await emit('a', 4);
    await emit('b', 5);
    await client.until('the next of b', (text) => text.includes('data: 5\n'));
    const [joined, left] = ['{"rooms":["a","b"]}', '{"rooms":["b"]}'];
    expect(client.data.filter((data) => data.length === 1)).toEqual(['1', '3', '5']);
    expect(client.data.filter((data) => data === joined || data === left)).toEqual([joined, left]);
    expect(client.data.indexOf('5')).toBeGreaterThan(client.data.indexOf(left));
    client.close();
  });

  it('begins a state room that joins with its entries, and again when it joins again', async () => {
    const { hub, open, change } = await start(adapter);
    const prices = hub.state<Record<string, number>>('prices');
    await prices.set('A', 1);
    await prices.set('B', 2);
    const { stream, token } = await open('a');
    await prices.set('A', 3);
    await change({ stream: token, join: ['prices'] });
    await prices.delete('B');
    const first = await upToChange(stream);
    expect(first.slice(0, 3)).toEqual([
      { rooms: ['prices'], entries: 2 },
      { room: 'prices', key: 'B', value: 2 },
      { room: 'prices', key: 'A', value: 3 },
    ]);
    await change({ stream: token, leave: ['prices'] });
    await prices.set('A', 4);
    await upToChange(stream);
    await change({ stream: token, join: ['prices'] });
    expect(await upToChange(stream)).toEqual([
      { rooms: ['prices'], entries: 1 },
      { room: 'prices', key: 'A', value: 4 },
      { rooms: ['a', 'prices'] },
    ]);
    stream.close();
    await prices.set('C', 5);
    const again = await open('a', stream.cursor);
    const more = again.before.length > 0 ? again.before[0] : (await again.stream.next()).data;
    expect(JSON.stringify(more)).toContain('C');
    expect(again.stream.text).not.toContain('sse-state');
  });

  it('makes members of the rooms that it has, and of no others', async () => {
    const member = ({ request }: SseConnection) => ({ id: String(request.headers['x-id']) });
    const presence = { member, watch: true, graceMs: 0 };
    const { hub, open, change } = await start(adapter, { presence });
    const [ann, bob] = [
      await open('a', undefined, { 'x-id': 'ann' }),
      await open('b', undefined, { 'x-id': 'bob' }),
    ];
    const members = async (room: string) => (await hub.members(room)).map(({ id }) => id).sort();
    await until(
      'they are there',
      async () => (await members('a')).length + (await members('b')).length === 2,
    );
    await change({ stream: ann.token, join: ['b'] });
    await until('ann is in b', async () => (await members('b')).join() === 'ann,bob');
    await bob.stream.until(({ text }) => text.includes('"ann"'));
    await upToChange(ann.stream);
    // The roster of a room that joins comes with it.
    expect(ann.stream.text).toContain('"bob"');
    await change({ stream: ann.token, leave: ['b', 'a'] });
    await until('ann has left', async () => (await members('b')).join() === 'bob');
    expect(await members('a')).toEqual([]);
    await change({ stream: ann.token, join: ['a'] });
    await until('ann is back in a', async () => (await members('a')).join() === 'ann');
    ann.stream.close();
    await until('ann has gone', async () => (await members('a')).length === 0);
  });

  describe('and a token that', () => {
    const identify = ({ request: { headers } }: SseConnection) => ({
      user: String(headers['x-user']),
    });
    const kinds: [string, (token: string) => string][] = [
      ['is empty', () => ''],
      ['is of no stream', () => 'x'],
      ['has another secret', (token) => `${token.slice(0, -4)}AAAA`],
      ['is longer than the right one', (token) => `${token}A`],
      ['is of this process, without a secret', (token) => token.slice(0, token.indexOf('.') + 1)],
      ['is a secret without a process', (token) => token.slice(token.indexOf('.') + 1)],
      ['names a property of every object', (token) => `${token.split('.')[0]}.__proto__`],
    ];

    it.each(kinds)('%s changes nothing, and says so', async (_kind, forge) => {
      const { emit, open, change } = await start(adapter);
      const { stream, token } = await open('a');
      const [status, message] = await refusal(
        await change({ stream: forge(token), join: ['b'], leave: ['a'] }),
      );
      expect([400, 404]).toContain(status);
      expect(message).toMatch(/sse-open|expected/);
      await emit('b', 1);
      await emit('a', 2);
      expect(await numbers(stream, 1)).toEqual([2]);
    });

    it('is of the connection before is refused, and the newest is not', async () => {
      const { hub, open, change } = await start(adapter);
      const first = await open('a');
      first.stream.close();
      await until('the first has ended', () => hub.size('a') === 0);
      const next = await open('a', first.stream.cursor);
      expect(next.token).not.toBe(first.token);
      expect(await refusal(await change({ stream: first.token, join: ['b'] }))).toEqual([
        404,
        expect.stringContaining('newest `sse-open`'),
      ]);
      expect((await change({ stream: next.token, join: ['b'] })).status).toBe(201);
    });

    it('is of another user is refused to who asks as a user', async () => {
      const { open, change } = await start(adapter, {}, { identify });
      const ann = await open('a', undefined, { 'x-user': 'ann' });
      const asked = await change({ stream: ann.token, join: ['b'] }, { 'x-user': 'eve' });
      expect(await refusal(asked)).toEqual([403, expect.stringContaining('token of your own')]);
      const own = await change({ stream: ann.token, join: ['b'] }, { 'x-user': 'ann' });
      expect(await own.json()).toEqual({ rooms: ['a', 'b'] });
    });

    it('asks for more rooms than a connection may have is told the limit', async () => {
      const limits = { maxRoomsPerConnection: 3 };
      const { open, change } = await start(adapter, {}, { limits });
      const { stream, token } = await open('a,b');
      const tooMany = await change({ stream: token, join: ['c', 'd'] });
      expect(await refusal(tooMany)).toEqual([
        400,
        expect.stringMatching(/maxRoomsPerConnection.*3|3.*maxRoomsPerConnection/s),
      ]);
      // Rooms that leave with the same request make room.
      const swap = await change({ stream: token, join: ['c', 'd'], leave: ['a'] });
      expect(await swap.json()).toEqual({ rooms: ['b', 'c', 'd'] });
      stream.close();
    });
  });
});
