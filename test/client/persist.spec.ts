// A cursor that outlives its stream, and storage that fails.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { getEventListeners } from 'node:events';
import type { CursorStorage } from 'nestjs-eventstream/client';
import { until } from '../support/until.js';
import { answer, collect, open, streamOf } from './support.js';

/** Remembers what was written, in order. */
class RecordingStorage implements CursorStorage {
  readonly written: string[] = [];
  getItem(): string | null {
    return this.written.at(-1) ?? null;
  }
  setItem(_key: string, value: string): void {
    this.written.push(value);
  }
}

const events = (count: number): string =>
  Array.from({ length: count }, (_, index) => `id: ${index + 1}\ndata: ${index + 1}\n\n`).join('');

describe('a cursor that is kept', () => {
  it('outlives the stream, under a key of its own', async () => {
    const { url, requests } = await answer(streamOf('id: 7\ndata: a\n\nid: 8\n\n'), streamOf(''));
    const items = new Map<string, string>();
    const persist = {
      getItem: (key: string) => items.get(key) ?? null,
      setItem: (key: string, value: string) => void items.set(key, value),
    };
    const stream = open(url, { persist });
    stream.on('message', () => {});
    await until('both ids', () => stream.lastEventId === '8');
    stream.close();
    expect([...items]).toEqual([[`nestjs-eventstream:${url}`, '8']]);

    expect(open(url, { persist }).lastEventId).toBe('8');
    await until('the second request', () => requests.length === 2);
    expect(requests[1]?.headers['last-event-id']).toBe('8');
    expect(open(url, { persist, persistKey: 'other' }).lastEventId).toBeUndefined();
    expect(open(url, { persist, lastEventId: '9' }).lastEventId).toBe('9');
  });

  it('is written once for all events of a turn', async () => {
    const { url } = await answer(streamOf(events(40)));
    const persist = new RecordingStorage();
    const got = collect(open(url, { persist }));
    await until('it is written', () => persist.written.includes('40'));
    expect([got.length, persist.written]).toEqual([40, ['40']]);
  });

  it('that the app sets is written at once, and not over', async () => {
    const { url } = await answer(streamOf(events(2)));
    const persist = new RecordingStorage();
    const stream = open(url, { persist });
    const seen: string[][] = [];
    stream.on('message', ({ data }) => {
      if (data !== 2) return;
      stream.lastEventId = 'mine';
      seen.push([...persist.written]);
    });
    await until('both events', () => seen.length === 1);
    stream.close();
    stream.lastEventId = undefined;
    expect(seen).toEqual([['mine']]);
    expect(persist.written).toEqual(['mine', '']);
  });

  it('is written when the stream is closed, before anybody hears of it', async () => {
    const { url } = await answer(streamOf(events(2)));
    const persist = new RecordingStorage();
    const stream = open(url, { persist });
    const heard: unknown[] = [];
    stream.onState((state) => state === 'closed' && heard.push([...persist.written]));
    stream.on('message', ({ data }) => data === 2 && stream.close());
    await stream.closed;
    expect(heard).toEqual([['2']]);
  });

  it.each(['pagehide', 'visibilitychange'])('is written at %s', async (type) => {
    const page = new EventTarget();
    const { addEventListener, removeEventListener } = globalThis;
    globalThis.addEventListener = page.addEventListener.bind(page);
    globalThis.removeEventListener = page.removeEventListener.bind(page);
    try {
      const { url } = await answer(streamOf(events(2)));
      const persist = new RecordingStorage();
      const stream = open(url, { persist });
      const seen: string[][] = [];
      stream.on('message', ({ data }) => {
        if (data !== 2) return;
        page.dispatchEvent(new Event(type));
        seen.push([...persist.written]);
        stream.close();
      });
      await stream.closed;
      expect([seen, persist.written]).toEqual([[['2']], ['2']]);
      expect(getEventListeners(page, type)).toEqual([]);
    } finally {
      Object.assign(globalThis, { addEventListener, removeEventListener });
    }
  });
});

describe('a storage that fails', () => {
  const full = (): never => {
    throw new Error('the quota is used up');
  };
  let warnings: string[];
  beforeEach(() => {
    warnings = [];
    jest.spyOn(console, 'warn').mockImplementation((text: string) => void warnings.push(text));
  });
  afterEach(() => void jest.restoreAllMocks());
  const told = (call: string): string[] => [
    `nestjs-eventstream: persist.${call}() failed: the quota is used up. Events continue, but a reload may repeat or miss some. Free some storage, or pass another one.`,
  ];

  // feature: 93
  it('is told once, however often it fails, and events go on', async () => {
    let send: ((n: number) => void) | undefined;
    const { url } = await answer((response) => {
      streamOf('')(response);
      send = (n) => void response.write(`id: ${n}\ndata: ${n}\n\n`);
    });
    let calls = 0;
    const setItem = (): never => {
      calls++;
      return full();
    };
    const got = collect(open(url, { persist: { getItem: () => null, setItem } }));
    await until('a request', () => send !== undefined);
    for (let n = 1; n <= 40; n++) {
      send?.(n);
      // Each in a turn of its own.
      await until('it is there, and was not kept', () => got.length === n && calls === n);
    }
    expect(got.map(({ data }) => data)).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
    expect(warnings).toEqual(told('setItem'));
  });

  it('when it is read is told, and the stream begins without a cursor', async () => {
    const { url, requests } = await answer(streamOf(events(1)));
    const stream = open(url, { persist: { getItem: full, setItem: full } });
    const got = collect(stream);
    await until('the event', () => got.length === 1);
    stream.close();
    expect(requests[0]?.headers).not.toHaveProperty('last-event-id');
    expect(warnings).toEqual(told('getItem'));
  });

  it('with a promise is told too', async () => {
    const { url } = await answer(streamOf(events(1)));
    const setItem = (async () => full()) as CursorStorage['setItem'];
    const got = collect(open(url, { persist: { getItem: () => null, setItem } }));
    await until('the warning', () => warnings.length > 0);
    expect([got.length, warnings]).toEqual([1, told('setItem')]);
  });

  it('when the app sets the cursor does not throw', async () => {
    const { url } = await answer(streamOf(''));
    const stream = open(url, { persist: { getItem: () => null, setItem: full } });
    stream.lastEventId = '7';
    await until('the warning', () => warnings.length > 0);
    expect(stream.lastEventId).toBe('7');
  });
});
