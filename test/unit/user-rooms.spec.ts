// The room of a user, where streams of a connection catch up, take turns or read too slowly.
import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { setImmediate as turn } from 'node:timers/promises';
import { SSE_DEFAULTS, type SseMessage } from 'nestjs-eventstream';
import { currentStream } from '../../lib/connection/current-stream.js';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { writeStream } from '../../lib/nest/stream-writer.js';
import { fakeConnection } from '../../lib/testing/fake-connection.js';
import { nextTurn, recordedStream, RecordingResponse } from '../support/recording-response.js';
import { openRegistry } from '../support/registry.js';

Logger.overrideLogger(false);

/** Says where its head is when the test lets it. */
class SlowLog extends MemoryEventLog {
  gate: Promise<void> | undefined;
  override async head() {
    await this.gate;
    return super.head();
  }
}

async function openHub() {
  const log = new SlowLog(SSE_DEFAULTS.history);
  const hub = new Hub(log, {}, '', {}, true);
  await hub.start();
  return { hub, log };
}

const ann = () => fakeConnection({ identity: { user: 'ann' } });

describe('the room of a user', () => {
  it('has no gap where a new client asks for older events of its rooms', async () => {
    const { hub, log } = await openHub();
    await hub.to('a').emit('old', 1);
    await hub.toUser('ann').emit('older than the client', 2);
    let open = (): void => {};
    log.gate = new Promise((resolve) => (open = resolve));
    const seen: unknown[] = [];
    const options = { rewind: 1, connection: ann() };
    hub.stream('a', options).subscribe(({ type }) => seen.push(type));
    await hub.toUser('ann').emit('while it is read', 3);
    await hub.to('b').emit('elsewhere', 4);
    open();
    await turn();
    await hub.toUser('ann').emit('live', 5);
    expect(seen).toEqual(['old', 'while it is read', 'live']);
  });

  it('passes to another stream of the connection, with a gap if the first was not up to date', async () => {
    const { hub } = await openHub();
    const connection = ann();
    const seen: unknown[] = [];
    const read = (room: string, snapshot?: () => Promise<SseMessage[]>) =>
      hub.stream(room, { connection, snapshot }).subscribe(({ type }) => seen.push(type));
    const never = () => new Promise<SseMessage[]>(() => {});
    const catchingUp = read('a', never);
    read('b');
    await hub.toUser('ann').emit('not passed on', 1);
    catchingUp.unsubscribe();
    expect(connection.messages).toHaveLength(1);
    await hub.toUser('ann').emit('live', 2);
    await turn();
    expect(connection.messages).toEqual([
      { type: 'sse-gap', data: '{"rooms":["sse:user"],"reason":"unknown"}' },
    ]);
    await hub.toUser('ann').emit('later', 3);
    expect(seen).toEqual(['live', 'later']);
  });

  it('is not in the way of a stream that resumes beside the one that has it', async () => {
    const { hub } = await openHub();
    const cursor = await hub.position();
    for (const room of ['a', 'b']) await hub.to(room).emit(`missed in ${room}`, 1);
    await hub.toUser('ann').emit('missed', 2);
    const connection = fakeConnection({ identity: { user: 'ann' }, lastEventId: cursor });
    const seen: unknown[] = [];
    for (const room of ['a', 'b']) {
      hub.stream(room, { connection }).subscribe(({ type }) => seen.push(type));
    }
    await turn();
    expect(seen).toHaveLength(3);
    expect(new Set(seen)).toEqual(new Set(['missed', 'missed in a', 'missed in b']));
  });

  it('has no part in what an app counts, and ends with the streams', async () => {
    const { hub } = await openHub();
    const registry = openRegistry({ identify: () => ({ user: 'ann' }) });
    const stream = recordedStream(registry, streamSettings({}));
    const options = { connection: stream };
    const readers = ['a', 'b'].map((room) => hub.stream(room, options).subscribe());
    expect([stream.cursor.roomCount, stream.cursor.firstRooms(9)]).toEqual([2, ['a', 'b']]);
    expect([hub.rooms(), hub.size('sse:user:ann')]).toEqual([['a', 'b'], 1]);
    readers[0]?.unsubscribe();
    expect([hub.rooms(), hub.size('sse:user:ann')]).toEqual([['b'], 1]);
    readers[1]?.unsubscribe();
    expect([hub.rooms(), hub.size('sse:user:ann')]).toEqual([[], 0]);
  });

  it('has no name where a slow client loses its events', async () => {
    const { hub } = await openHub();
    const raw = new RecordingResponse();
    const backpressure = { overflow: 'drop-oldest', maxBufferedBytes: 500 } as const;
    const settings = streamSettings({ retry: false, keepAlive: false, backpressure });
    const registry = openRegistry({ identify: () => ({ user: 'ann' }) });
    const stream = recordedStream(registry, settings, raw);
    registry.add(stream);
    currentStream.run(stream, () => void writeStream(hub.stream('a'), stream));
    while (raw.chunks.length === 0) await nextTurn();
    raw.full = true;
    for (let n = 0; n < 20; n++) {
      await hub.toUser('ben', 'ann').emit('x', 'x'.repeat(100));
      await nextTurn();
    }
    raw.drain();
    while (!raw.chunks.join('').includes('sse-gap')) await nextTurn();
    const text = raw.chunks.join('');
    expect(text).toContain('{"rooms":["sse:user"],"reason":"overflow"}');
    expect(text).not.toMatch(/ann|ben/);
    stream.destroy('server');
  });
});
