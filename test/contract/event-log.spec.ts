import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { SSE_DEFAULTS, type EventLog, type Head } from 'nestjs-eventstream';
import { redisEventLog, type RedisEventLogOptions } from 'nestjs-eventstream/redis';
import { eventLogContract, type OpenLog } from 'nestjs-eventstream/testing';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';

/** The contract leaves it to a log whether it says where its epoch began. Both of ours do. */
async function headOf(log: EventLog): Promise<Head> {
  const head = await log.head();
  await log.close();
  return head;
}

describe('the log in memory', () => {
  it('says where its epoch began', async () => {
    const { begin, position } = await headOf(new MemoryEventLog(SSE_DEFAULTS.history));
    expect(begin).toBe(position);
  });

  it.each(eventLogContract((history, state) => new MemoryEventLog(history, { state })))(
    '%s',
    (_title, run) => run(),
  );
});

describeRedis('the log on Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  const WAYS: [string, () => RedisEventLogOptions][] = [
    ['by URL', () => ({ url: server.url })],
    ['with ioredis 6', () => ({ client: new Redis(server.url, { lazyConnect: true }) })],
    ['with ioredis 5', () => ({ client: new Redis5(server.url, { lazyConnect: true }) })],
  ];
  describe.each(WAYS)('%s', (_way, options) => {
    // Each log gets keys of its own: an empty one.
    const open: OpenLog = (history, state) =>
      redisEventLog({ ...options(), prefix: randomUUID() })({ name: '', history, state });
    it('says where its epoch began', async () => {
      const { begin, position } = await headOf(
        await open(SSE_DEFAULTS.history, SSE_DEFAULTS.state),
      );
      expect(begin).toBe(position);
    });

    it.each(eventLogContract(open))('%s', (_title, run) => run());
  });
});
