// This process itself stands still: synchronous work, garbage collection, a paused machine. The
// answers of Redis arrive, and nobody reads them until it goes on.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { EventLog, NewEvent } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { STATE_DEFAULTS } from '../../lib/log/state.options.js';
import {
  describeRedis,
  startRedis,
  stopAllRedis,
  type RedisServer,
} from '../support/redis-server.js';

/** Longer than the 2 s that a call may take. */
const STALL_MS = 2_300;

const event = (data: number): NewEvent => ({
  rooms: ['room'],
  message: { data },
  body: `data: ${data}\n`,
});

function standStill(): void {
  const end = performance.now() + STALL_MS;
  while (performance.now() < end);
}

describeRedis('a process that stands still for longer than a call to Redis may take', () => {
  let redis: RedisServer;
  let log: EventLog;
  beforeAll(async () => {
    redis = await startRedis();
    log = redisEventLog({ url: redis.url })({
      name: '',
      history: { maxEvents: 1_000, maxAgeMs: 300_000, maxBytes: 67_108_864 },
      state: STATE_DEFAULTS,
    });
    await log.follow({ event() {}, rooms: () => [], lost() {}, caughtUp() {} });
  });
  afterEach(() => redis.resume());
  afterAll(async () => {
    await log.close();
    await stopAllRedis();
  });

  const connections = async (): Promise<string[]> =>
    // Without the connection that asks.
    [...(await redis.command('CLIENT', 'LIST')).matchAll(/^id=(\d+) (?!.* cmd=client)/gm)].map(
      ([, id = '']) => id,
    );

  it('gets all answers that came, over the same connections', async () => {
    const before = await connections();
    const calls = Promise.allSettled([
      ...Array.from({ length: 300 }, (_, n) => log.append(event(n))),
      log.read(['room'], { after: 0, maxEvents: 100, maxBytes: 1e6 }),
      log.entries('room'),
      log.head(),
    ]);
    await new Promise(setImmediate);
    standStill();
    const failed = (await calls).filter(({ status }) => status === 'rejected');
    expect(failed).toHaveLength(0);
    expect(before).toHaveLength(3);
    expect(await connections()).toEqual(expect.arrayContaining(before));
  });

  it('notices soon after it that Redis is silent', async () => {
    redis.pause();
    const call = log.append(event(1)).then(
      () => undefined,
      (error: unknown) => ({ error, at: performance.now() }),
    );
    await new Promise(setImmediate);
    standStill();
    const goesOnAt = performance.now();
    const refused = await call;
    expect(refused?.error).toMatchObject({ code: 'SSE_LOG_UNAVAILABLE' });
    expect((refused?.at ?? Infinity) - goesOnAt).toBeLessThan(1_000);
  });
});
