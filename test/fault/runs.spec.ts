// Runs whose processes, connections and store die, on a real Redis.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { fakeConnection } from 'nestjs-eventstream/testing';
import { Hub } from '../../lib/hub/hub.js';
import { Runs } from '../../lib/runs/runs.js';
import {
  describeRedis,
  startRedis,
  stopAllRedis,
  type RedisServer,
} from '../support/redis-server.js';
import { until } from '../support/until.js';

const support = join(import.meta.dirname, '../support');
/** A lease, what Redis takes to end it, the pause before its runs end, and a slow machine. */
const DEAD_MS = 60_000;
const STATE = { maxKeys: 10_000, maxBytes: 67_108_864 };

interface Read {
  readonly got: unknown[];
  readonly gaps: string[];
  end: string | undefined;
}

describeRedis('a run on Redis', () => {
  let redis: RedisServer;
  let prefix: string;
  const children: ChildProcess[] = [];
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    redis = await startRedis({ persist: true });
  });
  beforeEach(() => {
    prefix = randomUUID();
  });
  afterEach(async () => {
    redis.resume();
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    await Promise.all(closing.splice(0).map((close) => close()));
  });
  afterAll(() => stopAllRedis());

  async function open(server = redis): Promise<Runs> {
    const log = redisEventLog({ url: server.url, prefix });
    const hub = new Hub(log({ name: 'runs', history: SSE_DEFAULTS.history, state: STATE }));
    await hub.start();
    const runs = new Runs(hub);
    closing.push(async () => {
      await runs.close();
      await hub.close();
    });
    return runs;
  }

  function produce(id: string, count: number): ChildProcess {
    const child = fork(join(support, 'apps/runs.ts'), [redis.url, prefix, id, String(count)], {
      execArgv: ['--import', join(support, 'typescript.mjs')],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.push(child);
    return child;
  }

  function read(runs: Runs, id: string, lastEventId?: string): Read & { done: Promise<void> } {
    const connection = fakeConnection(lastEventId === undefined ? {} : { lastEventId });
    const found: Read = { got: [], gaps: [], end: undefined };
    const done = (async () => {
      for await (const { type, data } of runs.follow(id, { connection })) {
        if (type === 'run-end') found.end = (data as { state: string }).state;
        else found.got.push(data);
      }
      for (const { type } of connection.messages) {
        if (type === 'sse-gap') found.gaps.push(type);
      }
    })();
    return Object.assign(found, { done });
  }

  const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

  it(
    'whose process is killed ends as lost, for old and new readers, with all that was written',
    async () => {
      const child = produce('answer', 100_000);
      await once(child, 'message');
      const runs = await open();
      const old = read(runs, 'answer');
      await until('it has read some', () => old.got.length > 200);
      child.kill('SIGKILL');
      await old.done;
      expect(old).toMatchObject({ end: 'lost', gaps: [] });
      expect(old.got).toEqual(upTo(old.got.length));
      for (const reader of [runs, await open()]) {
        const another = read(reader, 'answer');
        await another.done;
        expect(another).toMatchObject({ end: 'lost', gaps: [], got: old.got });
      }
      expect(await runs.status('answer')).toMatchObject({ state: 'lost' });
    },
    DEAD_MS,
  );

  it(
    'whose process was killed while nobody was there is ended by the next process',
    async () => {
      const child = produce('answer', 0);
      let made = 0;
      child.on('message', (message: { made?: number }) => (made = message.made ?? made));
      await until('it has made some', () => made >= 100, 20_000);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const runs = await open();
      const reader = read(runs, 'answer');
      await reader.done;
      expect(reader).toMatchObject({ end: 'lost', gaps: [] });
      expect(reader.got).toEqual(upTo(reader.got.length));
      expect(reader.got.length).toBeGreaterThan(99);
    },
    DEAD_MS,
  );

  it(
    'goes on when Redis stands still and comes back',
    async () => {
      const runs = await open();
      const other = await open();
      let emit = (_data: number): void => {};
      let end = (): void => {};
      await runs.start('answer', async function* () {
        const waiting: number[] = [];
        let isOver = false;
        let wake = (): void => {};
        emit = (data) => {
          waiting.push(data);
          wake();
        };
        end = () => {
          isOver = true;
          wake();
        };
        for (;;) {
          const next = waiting.shift();
          if (next !== undefined) yield { data: next };
          else if (isOver) return;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      });
      const readers = [read(runs, 'answer'), read(other, 'answer')];
      await until('it works', () => emit.length === 1);
      for (let n = 0; n < 100; n++) emit(n);
      await until('it was read', () => readers.every(({ got }) => got.length === 100));
      redis.pause();
      for (let n = 100; n < 200; n++) emit(n);
      // Longer than a call may take.
      const from = performance.now();
      await until('calls have failed', () => performance.now() - from > 3_000, 10_000);
      redis.resume();
      for (let n = 200; n < 300; n++) emit(n);
      end();
      await Promise.all(readers.map(({ done }) => done));
      for (const { got, end: ended, gaps } of readers) {
        expect({ got, ended, gaps }).toEqual({ got: upTo(300), ended: 'finished', gaps: [] });
      }
    },
    DEAD_MS,
  );

  it(
    'loses nothing when Redis comes back without its newest writes',
    async () => {
      const runs = await open();
      const other = await open();
      let go = (): void => {};
      const paused = new Promise<void>((resolve) => (go = resolve));
      await runs.start('answer', async function* () {
        for (let n = 0; n < 100; n++) yield { data: n };
        await paused;
        for (let n = 100; n < 200; n++) yield { data: n };
      });
      const readers = [read(runs, 'answer'), read(other, 'answer')];
      await until('it was read', () => readers.every(({ got }) => got.length === 100));
      // All of it is gone.
      await redis.restart({ empty: true });
      go();
      await Promise.all(readers.map(({ done }) => done));
      for (const { got, end, gaps } of readers) {
        expect({ got, end, gaps }).toEqual({ got: upTo(200), end: 'finished', gaps: [] });
      }
      const newcomer = read(await open(), 'answer');
      await newcomer.done;
      expect(newcomer).toMatchObject({ got: upTo(200), end: 'finished', gaps: [] });
    },
    DEAD_MS,
  );
});
