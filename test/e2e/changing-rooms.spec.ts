// Streams whose rooms change while they are open, on real sockets, as a plain `EventSource` has
// them: it sends nothing but its last event ID.
import { describe, expect, it } from '@jest/globals';
import type { SseConnection } from 'nestjs-eventstream';
import { Deferred } from '../../lib/ground/deferred.js';
import { numbers, start, upToChange } from '../support/changing-rooms.js';
import { ADAPTERS } from '../support/serve.js';
import { until } from '../support/until.js';

describe.each(ADAPTERS)('a stream whose rooms change (%s)', (adapter) => {
  it('gets exactly the events after the join, and none after the leave', async () => {
    const { emit, open, change } = await start(adapter);
    const { stream, token, rooms } = await open('a');
    expect(rooms).toEqual(['a']);
    await emit('b', 1);
    await emit('a', 2);
    const answer = await change({ stream: token, join: ['b'] });
    expect([answer.status, await answer.json()]).toEqual([201, { rooms: ['a', 'b'] }]);
    await emit('b', 3);
    expect(await upToChange(stream)).toEqual([2, { rooms: ['a', 'b'] }]);
    await emit('a', 4);
    expect(await numbers(stream, 2)).toEqual([3, 4]);
    await change({ stream: token, leave: ['a'] });
    await emit('a', 5);
    await emit('b', 6);
    expect(await upToChange(stream)).toEqual([{ rooms: ['b'] }]);
    expect(await numbers(stream, 1)).toEqual([6]);
  });

  it('has the same rooms after a return, with what came meanwhile', async () => {
    const { emit, open, change } = await start(adapter);
    const { stream, token } = await open('a');
    await emit('a', 1);
    await change({ stream: token, join: ['b', 'c'] });
    await change({ stream: token, leave: ['a'] });
    await emit('b', 2);
    await stream.until(({ text }) => text.includes('data: 2'));
    const { cursor } = stream;
    stream.close();
    await emit('a', 3);
    await emit('c', 4);
    const again = await open('a', cursor);
    expect(again).toMatchObject({ rooms: ['b', 'c'] });
    await emit('b', 5);
    expect([...again.before, ...(await numbers(again.stream, 2 - again.before.length))]).toEqual([
      4, 5,
    ]);
  });

  it('gives a room that joins what a new client gets', async () => {
    const { emit, open, change, hub } = await start(adapter, { rewind: 2 });
    await hub.state('b').set('k', 7);
    for (let n = 1; n <= 3; n++) await emit('b', n);
    const { stream, token } = await open('a');
    await change({ stream: token, join: ['b'] });
    expect(await upToChange(stream)).toEqual([
      { rooms: ['b'], entries: 1 },
      { room: 'b', key: 'k', value: 7 },
      2,
      3,
      { rooms: ['a', 'b'] },
    ]);
  });

  it('gives a room that is new in the URL what a new client gets', async () => {
    const { emit, open } = await start(adapter, { rewind: 2 });
    const { stream } = await open('a');
    const [, , id] = [await emit('b', 1), await emit('b', 2), await emit('a', 3)];
    await stream.until(({ cursor }) => cursor?.startsWith(id) === true);
    const { cursor } = stream;
    expect(cursor?.length).toBeLessThanOrEqual(128);
    stream.close();
    await emit('a', 4);
    await emit('b', 5);
    const again = await open('a,b', cursor);
    const rest = await upToChange(again.stream);
    expect([...again.before, ...rest]).toEqual([4, 2, 5, { rooms: ['a', 'b'] }]);
  });

  it('gives an event of an old and a new room once', async () => {
    const { hub, open, change } = await start(adapter, { rewind: 5 });
    await hub.publish(['a', 'b'], { type: 'n', data: 0 });
    const { stream, token, before } = await open('a');
    expect(before).toEqual([0]);
    await hub.publish(['a', 'b'], { type: 'n', data: 1 });
    await change({ stream: token, join: ['b'] });
    expect(await upToChange(stream)).toEqual([1, { rooms: ['a', 'b'] }]);
    await hub.publish(['a', 'b'], { type: 'n', data: 2 });
    await hub.publish(['b'], { type: 'n', data: 3 });
    expect(await numbers(stream, 2)).toEqual([2, 3]);
  });

  it('gives it after what is older in the new room, and the old rooms wait for it', async () => {
    const asked = new Deferred<void>();
    const made = new Deferred<void>();
    const snapshot = async (_reason: string, [room]: readonly string[]) => {
      if (room !== 'b') return [];
      asked.resolve();
      await made.promise;
      return [{ type: 'n', data: 0 }];
    };
    const { hub, emit, open, change } = await start(adapter, { snapshot });
    const { stream, token } = await open('a');
    await change({ stream: token, join: ['b'] });
    await asked.promise;
    await emit('a', 1);
    await emit('b', 2);
    expect(await numbers(stream, 1)).toEqual([1]);
    await hub.publish(['a', 'b'], { type: 'n', data: 3 });
    await emit('a', 4);
    await emit('b', 5);
    made.resolve();
    expect(await upToChange(stream)).toEqual([0, 2, { rooms: ['a', 'b'] }]);
    expect(await numbers(stream, 3)).toEqual([3, 4, 5]);
  });

  it('gives what another room had lost in a gap, also when the client has returned since', async () => {
    const sse = { history: { maxEvents: 2 } };
    const { hub, emit, open, change } = await start(adapter, { rewind: 5 }, sse);
    const first = await open('a');
    await emit('a', 0);
    await first.stream.until(({ text }) => text.includes('data: 0'));
    first.stream.close();
    await hub.publish(['a', 'b'], { type: 'n', data: 1 });
    for (let n = 2; n <= 4; n++) await emit('a', n);
    const second = await open('a', first.stream.cursor);
    await emit('a', 5);
    const gap = 'sse-gap {"rooms":["a"],"reason":"trimmed"}';
    expect(second.before).toEqual([gap]);
    await second.stream.until(({ text }) => text.includes('data: 5'));
    second.stream.close();
    const { stream, token } = await open('a', second.stream.cursor);
    await change({ stream: token, join: ['b'] });
    expect(await upToChange(stream)).toEqual([1, { rooms: ['a', 'b'] }]);
  });

  it('refuses a change by a connection that another one has followed', async () => {
    const { emit, open, change } = await start(adapter);
    // Its process has not noticed that the client has gone.
    const left = await open('a');
    const next = await open('a', left.stream.cursor);
    const refused = await change({ stream: left.token, join: ['b'] });
    expect([refused.status, await refused.json()]).toMatchObject([409, { code: 'SSE_ROOMS' }]);
    await left.stream.closed;
    const answer = await change({ stream: next.token, join: ['c'] });
    expect(await answer.json()).toEqual({ rooms: ['a', 'c'] });
    await emit('b', 1);
    await emit('c', 2);
    expect(await upToChange(next.stream)).toEqual([{ rooms: ['a', 'c'] }]);
    expect(await numbers(next.stream, 1)).toEqual([2]);
  });

  it('does not go on for another user, who has a last event ID of its client', async () => {
    const identify = ({ request: { headers } }: SseConnection) => ({
      user: String(headers['x-user']),
    });
    const { app, open, change } = await start(adapter, {}, { identify });
    const of = (user: string, cursor?: string) => open('a', cursor, { 'x-user': user });
    const ann = await of('ann');
    await change({ stream: ann.token, join: ['b'] });
    await upToChange(ann.stream);
    const eve = await of('eve', ann.stream.cursor);
    expect(eve).toMatchObject({ rooms: ['a'], before: [expect.stringContaining('sse-gap')] });
    const answer = await change({ stream: ann.token, join: ['c'] });
    expect(await answer.json()).toEqual({ rooms: ['a', 'b', 'c'] });
    await until('the join was told', () => ann.stream.text.includes('["a","b","c"]'));
    expect((await of('ann', ann.stream.cursor)).rooms).toEqual(['a', 'b', 'c']);
    expect(app.logged).toEqual([]);
  });

  it('refuses what it cannot do, and says what to do', async () => {
    const authorize = (_connection: unknown, rooms: readonly string[]): boolean =>
      !rooms.includes('secret');
    const { open, change, emit, hub } = await start(
      adapter,
      { authorize },
      { limits: { maxRoomsPerConnection: 2 } },
    );
    const { stream, token } = await open('a');
    const refused = async (body: object): Promise<[number, string]> => {
      const answer = await change(body);
      return [answer.status, ((await answer.json()) as { message: string }).message];
    };
    expect(await refused({})).toEqual([400, expect.stringContaining('expected { stream')]);
    expect(await refused({ stream: 'x' })).toEqual([404, expect.stringContaining('sse-open')]);
    const forged = `${token.slice(0, -4)}AAAA`;
    expect(await refused({ stream: forged, join: ['b'] })).toEqual([404, expect.any(String)]);
    expect(await refused({ stream: token, join: 'b' })).toEqual([400, expect.any(String)]);
    expect(await refused({ stream: token, join: [''] })).toEqual([400, expect.any(String)]);
    expect(await refused({ stream: token, join: ['sse:x'] })).toEqual([400, expect.any(String)]);
    expect(await refused({ stream: token, join: ['secret'] })).toEqual([403, expect.any(String)]);
    expect(await refused({ stream: token, join: ['b', 'c'] })).toEqual([
      400,
      expect.stringContaining('maxRoomsPerConnection'),
    ]);
    // None of it has changed anything.
    await emit('b', 1);
    await emit('a', 2);
    expect(await numbers(stream, 1)).toEqual([2]);
    stream.close();
    await until('the stream has ended', () => hub.size() === 0);
    expect(await refused({ stream: token, join: ['b'] })).toEqual([404, expect.any(String)]);
  });
});
