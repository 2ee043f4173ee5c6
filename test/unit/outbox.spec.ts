import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Batch, Turn } from '../../lib/output/batch.js';
import { Outbox } from '../../lib/output/outbox.js';
import type { OutboxOwner } from '../../lib/output/outbox-owner.js';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { nextTurn, RecordingResponse } from '../support/recording-response.js';

const settings = streamSettings({});
const owner: OutboxOwner = {
  wrote() {},
  blocked() {},
  mark: () => 'aBcDeF-_',
  waitingOf: (frame) => ({ frame }),
  cut() {},
  failed(error) {
    throw error;
  },
};

function outboxes(count = 1): { outbox: Outbox; raw: RecordingResponse }[] {
  const turn = new Turn();
  return Array.from({ length: count }, () => {
    const raw = new RecordingResponse();
    return {
      raw,
      outbox: new Outbox(raw.asResponse, turn, settings, owner),
    };
  });
}

function oneOutbox(): { outbox: Outbox; raw: RecordingResponse } {
  const raw = new RecordingResponse();
  return {
    raw,
    outbox: new Outbox(raw.asResponse, new Turn(), settings, owner),
  };
}

/** `pending`, or how the promise was settled by now. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  const settled = promise.then(
    () => 'resolved',
    (error: { code: string }) => error.code,
  );
  return Promise.race([settled, nextTurn().then(() => 'pending')]);
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('an outbox', () => {
  it('writes all frames of a turn at once', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('opening|');
    outbox.push('a|');
    outbox.push('b|');
    expect(raw.chunks).toEqual(['opening|']);
    await nextTurn();
    expect(raw.chunks).toEqual(['opening|', 'a|b|']);
    outbox.push('c|');
    await nextTurn();
    expect(raw.chunks).toEqual(['opening|', 'a|b|', 'c|']);
  });

  it('holds back what was pushed before it was opened, and writes it after the opening', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.push('a|');
    await nextTurn();
    expect(raw.chunks).toEqual([]);
    outbox.open('opening|');
    await nextTurn();
    expect(raw.chunks).toEqual(['opening|', 'a|']);
  });

  it('has a limit also for what is pushed before it was opened', async () => {
    const small = { ...settings, maxBufferedBytes: 10 };
    const raw = new RecordingResponse();
    const outbox = new Outbox(raw.asResponse, new Turn(), small, owner);
    const pushed = ['a'.repeat(6), 'b'.repeat(6), 'c'.repeat(6)].map((frame) => outbox.push(frame));
    expect(pushed).toEqual([0, 0, 0]);
    expect(outbox.push('d'.repeat(6))).toBe('overflow');
    outbox.open('opening|');
    await nextTurn();
    await nextTurn();
    expect(raw.chunks.join('')).toBe('opening|aaaaaabbbbbbccccccdddddd');
  });

  it('writes nothing for an empty opening', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    await nextTurn();
    expect(raw.chunks).toEqual([]);
  });

  it('waits for the drain of a slow client and then writes what came meanwhile at once', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    raw.full = true;
    outbox.push('a|');
    await nextTurn();
    outbox.push('b|');
    outbox.push('✓|');
    await nextTurn();
    expect(raw.chunks).toEqual(['a|']);
    expect(outbox.bufferedBytes).toBe(6);
    raw.drain();
    await nextTurn();
    expect(raw.chunks).toEqual(['a|', 'b|✓|']);
    expect(outbox.bufferedBytes).toBe(0);
  });

  it('tells since when the client takes nothing, and forgets it with the drain', async () => {
    const { outbox, raw } = oneOutbox();
    let clock = 5;
    jest.spyOn(performance, 'now').mockImplementation(() => clock);
    outbox.open('');
    raw.full = true;
    outbox.push('a');
    await nextTurn();
    expect(outbox.blockedAt).toBe(5);
    clock = 9;
    outbox.push('b');
    await nextTurn();
    expect(outbox.blockedAt).toBe(5);
    raw.drain();
    expect(outbox.blockedAt).toBeUndefined();
    expect(outbox.activeAt).toBe(9);
  });

  it('leaves no drain listener behind, however often the client was slow', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    for (let n = 0; n < 20; n++) {
      raw.full = true;
      outbox.push('a');
      await nextTurn();
      expect(raw.listenerCount('drain')).toBe(1);
      raw.drain();
      expect(raw.listenerCount('drain')).toBe(0);
    }
  });

  it('lets later readers get in one write what arrives while earlier ones are written', async () => {
    const [first, second] = outboxes(2);
    for (const each of [first, second]) each?.outbox.open('');
    const write = first?.raw.write.bind(first.raw);
    jest.spyOn(first!.raw, 'write').mockImplementation((chunk) => {
      if (chunk.toString() === 'a|') second?.outbox.push('b|');
      return write!(chunk);
    });
    first?.outbox.push('a|');
    second?.outbox.push('a|');
    await nextTurn();
    expect(first?.raw.chunks).toEqual(['a|']);
    expect(second?.raw.chunks).toEqual(['a|b|']);
  });

  it('shares one buffer with everyone who got the same frames in the turn', async () => {
    const readers = outboxes(50);
    const buffers: unknown[] = [];
    for (const { outbox, raw } of readers) {
      jest.spyOn(raw, 'write').mockImplementation((chunk) => buffers.push(chunk) > 0);
      outbox.open('');
    }
    for (const frame of ['a|', 'b|']) for (const { outbox } of readers) outbox.push(frame);
    await nextTurn();
    expect(buffers).toHaveLength(50);
    expect(new Set(buffers).size).toBe(1);
    expect(String(buffers[0])).toBe('a|b|');
  });
});

describe('a turn in which much is pushed', () => {
  const frame = 'x'.repeat(1_048_576);

  it('is written in parts as large as what may wait', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    for (let n = 0; n < 10; n++) {
      expect(outbox.push(frame)).toBe(0);
    }
    expect(raw.chunks.map((chunk) => chunk.length / frame.length)).toEqual(
      Array.from({ length: 9 }, () => 1),
    );
    await nextTurn();
    expect(raw.chunks).toHaveLength(10);
  });

  it('has to wait as soon as the client takes nothing more', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    raw.full = true;
    outbox.push(frame);
    expect([raw.chunks.length, outbox.isBlocked]).toEqual([0, false]);
    outbox.push('last');
    expect([raw.chunks.length, outbox.isBlocked]).toEqual([1, true]);
    expect(outbox.bufferedBytes).toBe(4);
    raw.drain();
    await nextTurn();
    expect(raw.chunks.slice(1)).toEqual(['last']);
  });

  it('is written from one buffer to all who got the same', () => {
    const readers = outboxes(5);
    const buffers: unknown[] = [];
    for (const { outbox, raw } of readers) {
      jest.spyOn(raw, 'write').mockImplementation((chunk) => buffers.push(chunk) > 0);
      outbox.open('');
    }
    for (let n = 0; n < 5; n++) {
      for (const { outbox } of readers) outbox.push(frame);
    }
    expect(buffers).toHaveLength(20);
    expect(new Set(buffers).size).toBe(1);
  });
});

describe('what an outbox answers', () => {
  const blocked = async (overflow: 'disconnect' | 'drop-oldest'): Promise<Outbox> => {
    const raw = new RecordingResponse();
    const events = { ...owner, waitingOf: (frame: string) => ({ frame, rooms: ['a'] }) };
    const limits = streamSettings({ backpressure: { overflow, maxBufferedBytes: 2 } });
    const outbox = new Outbox(raw.asResponse, new Turn(), limits, events);
    outbox.open('');
    raw.full = true;
    outbox.push('written');
    await nextTurn();
    return outbox;
  };
  const push = (outbox: Outbox) => ['a', 'b', 'c', 'd'].map((data) => outbox.push(data, { data }));

  it('is that nothing was left out while the client takes all', () => {
    const { outbox } = oneOutbox();
    outbox.open('');
    expect(push(outbox)).toEqual([0, 0, 0, 0]);
    expect(outbox.dropped).toBe(0);
  });

  it('is how many events were left out, and it counts them also when it has ended', async () => {
    const outbox = await blocked('drop-oldest');
    expect(push(outbox)).toEqual([0, 0, 1, 1]);
    expect(outbox.dropped).toBe(2);
    outbox.discard();
    expect(outbox.dropped).toBe(2);
  });

  it('is that the client has to be disconnected', async () => {
    const outbox = await blocked('disconnect');
    expect(push(outbox).slice(0, 3)).toEqual([0, 0, 'overflow']);
    expect(outbox.dropped).toBe(0);
  });

  it('is nothing where the write before it has ended the connection', () => {
    const raw = new RecordingResponse();
    const ends = { ...owner, failed: () => outbox.discard() };
    const outbox = new Outbox(raw.asResponse, new Turn(), settings, ends);
    outbox.open('');
    jest.spyOn(raw, 'write').mockImplementation(() => {
      throw new Error('broken');
    });
    outbox.push('x'.repeat(1_048_576));
    expect(outbox.push('late')).toBe(0);
    expect(outbox.bufferedBytes).toBe(0);
  });
});

describe('an outbox that fails', () => {
  it.each<[string, (raw: RecordingResponse, own: OutboxOwner) => void]>([
    ['the response', (raw) => jest.spyOn(raw, 'write').mockImplementation(fail)],
    ['the batch', () => jest.spyOn(Batch.prototype, 'buffer', 'get').mockImplementationOnce(fail)],
    ['who counts', (_raw, own) => jest.spyOn(own, 'wrote').mockImplementationOnce(fail)],
  ])('tells it once, and the others are written, when %s throws', async (_title, spoil) => {
    const turn = new Turn();
    const failed: unknown[] = [];
    const [one, two] = ['a|', 'b|'].map((frame) => {
      const raw = new RecordingResponse();
      const own = { ...owner, failed: (error: unknown) => void failed.push(error) };
      const outbox = new Outbox(raw.asResponse, turn, settings, own);
      outbox.open('');
      outbox.push(frame);
      return { raw, own, outbox };
    });
    spoil(one!.raw, one!.own);
    await nextTurn();
    expect(failed).toEqual([broken]);
    expect(two?.raw.chunks).toEqual(['b|']);
  });

  const broken = new Error('broken');
  function fail(): never {
    throw broken;
  }
});

describe('writable()', () => {
  it('resolves when what was pushed before the opening was written with it', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.push('a|');
    const writable = outbox.writable();
    expect(await stateOf(writable)).toBe('pending');
    outbox.open('opening|');
    expect(raw.chunks).toEqual(['opening|', 'a|']);
    await nextTurn();
    expect(await stateOf(writable)).toBe('resolved');
  });

  it('resolves at once where nothing waits', async () => {
    const { outbox } = oneOutbox();
    outbox.open('opening');
    await expect(outbox.writable()).resolves.toBeUndefined();
  });

  it('waits until what was pushed is written', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    outbox.push('a');
    const written = outbox.writable().then(() => [...raw.chunks]);
    expect(raw.chunks).toEqual([]);
    await expect(written).resolves.toEqual(['a']);
  });

  it('waits for the drain of a slow client', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    raw.full = true;
    outbox.push('a');
    const writable = outbox.writable();
    expect(await stateOf(writable)).toBe('pending');
    raw.drain();
    await expect(writable).resolves.toBeUndefined();
  });

  it('waits on if the client is slow again after the drain', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    raw.full = true;
    outbox.push('a');
    const writable = outbox.writable();
    await nextTurn();
    outbox.push('b');
    raw.drain();
    raw.full = true;
    expect(await stateOf(writable)).toBe('pending');
    expect(raw.chunks).toEqual(['a', 'b']);
    raw.drain();
    await expect(writable).resolves.toBeUndefined();
  });

  it('resolves for all who wait', async () => {
    const { outbox } = oneOutbox();
    outbox.open('');
    outbox.push('a');
    await expect(Promise.all([outbox.writable(), outbox.writable()])).resolves.toHaveLength(2);
  });

  it.each<[string, (outbox: Outbox) => void]>([
    ['ends', (outbox) => outbox.end()],
    ['is given up', (outbox) => outbox.discard()],
  ])('rejects with SSE_CLOSED, now and later, when the outbox %s', async (_title, end) => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    raw.full = true;
    outbox.push('a');
    const writable = outbox.writable();
    end(outbox);
    await expect(writable).rejects.toMatchObject({ code: 'SSE_CLOSED' });
    await expect(outbox.writable()).rejects.toMatchObject({ code: 'SSE_CLOSED' });
  });
});

describe('the end of an outbox', () => {
  it('comes after what was pushed, in one piece', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    outbox.push('a|');
    outbox.push('b|');
    outbox.end();
    expect(raw.chunks).toEqual(['a|b|']);
    expect(raw.ended).toBe(true);
    await nextTurn();
    expect(raw.chunks).toEqual(['a|b|']);
  });

  it('counts as blocked until the client has taken it', () => {
    const { outbox } = oneOutbox();
    outbox.open('');
    expect(outbox.blockedAt).toBeUndefined();
    outbox.end();
    expect(outbox.blockedAt).toBeDefined();
  });

  it('is not undone by a late drain', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    raw.full = true;
    outbox.push('a');
    await nextTurn();
    outbox.end();
    const { blockedAt } = outbox;
    raw.drain();
    await nextTurn();
    expect(outbox.blockedAt).toBe(blockedAt);
    expect(raw.chunks).toEqual(['a']);
  });

  it('writes the backlog in parts, none of which is too long for one text', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    raw.full = true;
    outbox.push('first');
    await nextTurn();
    const frame = 'x'.repeat(1_048_576);
    for (let n = 0; n < 33; n++) outbox.pushLast(frame);
    outbox.end();
    expect(raw.chunks[0]).toBe('first');
    const parts = raw.chunks.slice(1).map((chunk) => chunk.length / frame.length);
    expect(parts).toEqual([16, 16, 1]);
    expect(raw.ended).toBe(true);
  });

  it('writes nothing any more where it was given up', async () => {
    const { outbox, raw } = oneOutbox();
    outbox.open('');
    outbox.push('a');
    outbox.discard();
    await nextTurn();
    expect(raw.chunks).toEqual([]);
    expect(outbox.bufferedBytes).toBe(0);
  });
});
