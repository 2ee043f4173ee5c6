// A shared stream where nothing can be shared: in Node, each has a connection of its own.
import { afterEach, describe, expect, it } from '@jest/globals';
import { connectTabs, type SharedStream, type TabsOptions } from 'nestjs-eventstream/client/tabs';
import { answer, status, streamOf } from './support.js';

const streams: SharedStream[] = [];
afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});

function open(url: string, options: TabsOptions = {}): SharedStream {
  const stream = connectTabs(url, { maxBackoffMs: 50, ...options });
  streams.push(stream);
  return stream;
}

describe('connectTabs() without other tabs', () => {
  it('gives events to listeners and loops, and closes with the last loop', async () => {
    const { url, requests } = await answer(streamOf('id: 1\ndata: {"a":1}\n\ndata: text\n\n'));
    const stream = open(url, { headers: { 'x-tab': 'one' } });
    const got: unknown[] = [];
    expect(stream.isLeading).toBe(false);
    stream.on('message', ({ data }) => got.push(data));
    for await (const { data } of stream) {
      expect(stream.isLeading).toBe(true);
      if (data === 'text') break;
    }
    expect(got).toEqual([{ a: 1 }, 'text']);
    expect(stream.lastEventId).toBe('1');
    expect(await stream.closed).toEqual({ reason: 'client' });
    expect(stream.isLeading).toBe(false);
    expect(requests[0]?.headers['x-tab']).toBe('one');
  });

  it('resumes from lastEventId, and stores the last one', async () => {
    const { url, requests } = await answer(streamOf('id: 2\ndata: 2\n\n'));
    const kept = new Map([['key', '1']]);
    const persist = {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
    };
    const stream = open(url, { persist, persistKey: 'key' });
    for await (const { id } of stream) if (id === '2') break;
    expect(requests[0]?.headers['last-event-id']).toBe('1');
    expect(kept.get('key')).toBe('2');
  });

  it('closes with the error of the server, and tells it', async () => {
    const { url } = await answer(status(403, {}, 'no'));
    const stream = open(url);
    const states: string[] = [];
    stream.onState((state, error) => states.push(`${state} ${error?.status ?? ''}`));
    stream.on('message', () => {});
    const { reason, error } = await stream.closed;
    expect([reason, error?.status, error?.body]).toEqual(['error', 403, 'no']);
    expect(states).toEqual(['closed 403']);
    await expect(stream.join('a')).rejects.toMatchObject({ code: 'SSE_REQUEST' });
  });

  it('closes one tab if its parse() fails', async () => {
    const { url } = await answer(streamOf('data: 1\n\n'));
    const parse = (): never => {
      throw new Error('not mine');
    };
    const stream = open(url, { parse });
    stream.on('message', () => {});
    expect(await stream.closed).toMatchObject({ reason: 'error', error: { code: 'SSE_DATA' } });
  });

  it('has the map of a state room, also if it is asked for later', async () => {
    const { url } = await answer(
      streamOf(
        'event: sse-state\ndata: {"rooms":["p"],"entries":1}\n\nevent: sse-set\ndata: {"room":"p","key":"A","value":1}\n\ndata: 1\n\n',
      ),
    );
    const stream = open(url);
    await new Promise<void>((resolve) => stream.on('message', () => resolve()));
    expect([...stream.stateOf('p')]).toEqual([['A', 1]]);
    await stream.stateOf('p').ready;
    expect(() =>
      open(url, { persist: { getItem: () => null, setItem: () => {} } }).stateOf('p'),
    ).toThrow('persist');
    expect(() => open(url, { lastEventId: '1' }).stateOf('p')).toThrow('lastEventId');
  });

  it('leaves a loop that does not read one gap, and the others all events', async () => {
    const data = Array.from({ length: 10_100 }, (_, n) => `data: ${n}\n\n`).join('');
    const { url } = await answer(streamOf(data));
    const stream = open(url);
    const loop = stream[Symbol.asyncIterator]();
    const count = await new Promise((resolve) => {
      let events = 0;
      stream.on('message', (event) => {
        events++;
        if (event.data === 10_099) resolve(events);
      });
    });
    expect(count).toBe(10_100);
    expect((await loop.next()).value).toMatchObject({ data: { reason: 'overflow' } });
    expect((await loop.next()).value).toMatchObject({ data: 10_000 });
  });

  it.each([
    [{ takeOverMs: 0 }, 'takeOverMs'],
    [{ takeOverMs: 2.5 }, 'takeOverMs'],
    [{ name: 7 as never }, 'name'],
    [{ roomsOf: 'a' as never }, 'roomsOf'],
    [{ stallTimeoutMs: -1 }, 'stallTimeoutMs'],
  ])('refuses %o', (options, name) => {
    expect(() => connectTabs('http://a', options)).toThrow(
      expect.objectContaining({ code: 'SSE_OPTIONS', message: expect.stringContaining(name) }),
    );
  });
});
