import { describe, expect, it, jest } from '@jest/globals';
import { gap, hasCursor, numbers, start } from '../support/resuming.js';
import { ADAPTERS } from '../support/serve.js';

describe.each(ADAPTERS)('a client whose cursor is not covered (%s)', (adapter) => {
  // feature: 50
  it.each([
    ['nonsense', 'unknown'],
    ['1.x.', 'unknown'],
    ['2.abcdefgh.hocqx6mqcw', 'unknown'],
    ['x'.repeat(10_000), 'unknown'],
    ['1.abcdefgh.zzzzzzzzzzz', 'unknown'],
    ['1.abcdefgh.hocqx6mqcw', 'epoch'],
    ['1.abcdefgh.hocqx6mqcw~1.ijklmnop.hocqx6mqcw', 'epoch'],
    ['ä✓', 'unknown'],
  ])('with %.30s is told so at once and goes live', async (cursor, reason) => {
    const { open, emit, emitAll } = await start(adapter);
    await emitAll('main', 1, 3);
    const stream = open('/stream', Buffer.from(cursor).toString('latin1'));
    expect(await stream.next()).toEqual(gap(['main'], reason));
    await emit('main', 4);
    expect(await numbers(stream, 1)).toEqual([4]);
    expect(stream.events).toHaveLength(2);
  });

  // feature: 50
  it('with a cursor ahead of the head, doubled or cut is told so, too', async () => {
    const { open, emit } = await start(adapter);
    const id = await emit('main', 1);
    const [, epoch, position = ''] = id.split('.');
    const ahead = `1.${epoch}.${(Number.parseInt(position, 36) + 1e9).toString(36)}`;
    // What is left of a cut cursor is a position from before the log began.
    for (const cursor of [ahead, `${id}${id}`, `${id}~`, `0${id}`, id.slice(0, -4)]) {
      expect(await open('/stream', cursor).next()).toEqual(gap(['main'], 'unknown'));
    }
  });

  describe('after more than is kept', () => {
    const trimmed = async (onGap?: 'tail' | 'skip' | 'end') => {
      const world = await start(adapter, { history: { maxEvents: 5 } }, { onGap });
      const { emit, emitAll, open } = world;
      const [first] = await emitAll('busy', 1, 10);
      await emitAll('quiet', 100, 102);
      const stream = open('/stream?rooms=busy,quiet', first);
      expect(await stream.next()).toEqual(gap(['busy'], 'trimmed'));
      return { ...world, emit, stream };
    };

    // feature: 50
    it('is told, gets what it missed in the other rooms, and goes live', async () => {
      const { stream, emit } = await trimmed();
      expect(await numbers(stream, 3)).toEqual([100, 101, 102]);
      await emit('busy', 11);
      expect(await numbers(stream, 1)).toEqual([11]);
    });

    // feature: 50
    it('goes live at once with onGap: skip', async () => {
      const { stream, emit } = await trimmed('skip');
      await stream.until(hasCursor);
      await emit('quiet', 103);
      expect(await numbers(stream, 1)).toEqual([103]);
    });

    // feature: 50
    it('is at the end with onGap: end', async () => {
      const { stream } = await trimmed('end');
      await stream.ended;
      expect(stream.events).toHaveLength(1);
    });

    it('goes on from there: the gap is told once', async () => {
      const { stream, open } = await trimmed();
      await numbers(stream, 3);
      await stream.until(({ text }) => /data: 102\nid: .*\n\nid: .*\n\n$/.test(text));
      const back = open('/stream?rooms=busy,quiet', stream.cursor);
      await back.until(hasCursor);
      expect(back.events).toEqual([]);
    });
  });

  // feature: 50
  it('is told of rooms that missed more than one replay carries; smaller ones are replayed', async () => {
    const { open, emit, emitAll } = await start(adapter, { history: { maxEvents: 3_000 } });
    const first = await emit('small', 0);
    await emitAll('large', 1, 1_001);
    await emit('small', 2_000);
    const stream = open('/rooms?rooms=large,small', first);
    expect(await stream.next()).toEqual(gap(['large'], 'overflow'));
    expect(await numbers(stream, 1)).toEqual([2_000]);
  });

  // feature: 52
  it('after everything was let go by age is told, unless nothing had come', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    try {
      const { hub, open, emit } = await start(adapter, { history: { maxAgeMs: 60_000 } });
      const before = await emit('main', 1);
      const after = await emit('main', 2);
      jest.advanceTimersByTime(60_000);
      expect(await hub.history('main')).toEqual({ events: [], covered: true, hasMore: false });
      expect(await open('/stream', before).next()).toEqual(gap(['main'], 'trimmed'));
      const uptodate = open('/stream', after);
      await uptodate.until(({ cursor }) => cursor === after);
      expect(uptodate.events).toEqual([]);
    } finally {
      jest.useRealTimers();
    }
  });
});
