// Members of processes that are killed or stopped, on a real Redis.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { until } from '../support/until.js';

const support = join(import.meta.dirname, '../support');
/** A lease, what Redis takes to end it, the pause before it is cleaned up, and a slow machine. */
const DEAD_MS = 60_000;

interface Seen {
  readonly members: string[];
  readonly seen: string[];
}

class Child {
  readonly changes: string[] = [];
  private readonly child: ChildProcess;
  private answer: ((seen: Seen) => void) | undefined;

  constructor(url: string, prefix: string, ids: readonly string[]) {
    const typescript = ['--import', join(support, 'typescript.mjs')];
    this.child = fork(join(support, 'apps/members.ts'), [url, prefix, ids.join(',')], {
      execArgv: typescript,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.child.on('message', (message: Seen | { kind: string; id: string }) => {
      if ('kind' in message) this.changes.push(`${message.kind} ${message.id}`);
      else this.answer?.(message);
    });
  }

  ask(): Promise<Seen> {
    return new Promise((resolve) => {
      this.answer = resolve;
      this.child.send('who is there?');
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }
}

const idsOf = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_none, n) => `${name}-${n}`).sort();

describeRedis('the members of a process', () => {
  let redis: RedisServer;
  const children: Child[] = [];

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    await Promise.all(children.splice(0).map((child) => child.kill()));
  });
  afterAll(() => redis.stop());

  const starter = () => {
    const prefix = randomUUID();
    return (ids: readonly string[]): Child => {
      const child = new Child(redis.url, prefix, ids);
      children.push(child);
      return child;
    };
  };

  const sees = async (child: Child, ids: readonly string[]): Promise<boolean> => {
    const { members, seen } = await child.ask();
    return members.join() === ids.join() && seen.join() === ids.join();
  };

  describe('that is killed', () => {
    it('leave once its lease has ended: each once over all other processes', async () => {
      const start = starter();
      const [dying, staying] = [idsOf('dying', 500), idsOf('staying', 3)];
      const killed = start([...dying, 'both-0']);
      const others = [start([...staying, 'both-0']), start([])];
      const everybody = [...dying, ...staying, 'both-0'].sort();
      for (const child of [killed, ...others]) {
        await until('all are there', () => sees(child, everybody), DEAD_MS);
      }
      await killed.kill();
      const left = [...staying, 'both-0'].sort();
      for (const child of others) {
        await until('the others are there', () => sees(child, left), DEAD_MS);
      }
      const leaves = others
        .flatMap(({ changes }) => changes)
        .filter((change) => change.startsWith('leave'));
      expect(leaves.sort()).toEqual(dying.map((id) => `leave ${id}`).sort());
    }, 180_000);
  });

  describe('that is stopped for longer than its lease', () => {
    it('leave, and come back with it', async () => {
      const start = starter();
      const paused = start(['ann']);
      const other = start(['bob']);
      await until('both are there', () => sees(other, ['ann', 'bob']), DEAD_MS);
      paused.signal('SIGSTOP');
      await until('one has left', () => sees(other, ['bob']), DEAD_MS);
      paused.signal('SIGCONT');
      for (const child of [other, paused]) {
        await until('both are there', () => sees(child, ['ann', 'bob']), DEAD_MS);
      }
      const of = (name: string): string[] =>
        [paused, other].flatMap(({ changes }) => changes).filter((text) => text.endsWith(name));
      expect(of('ann')).toEqual(['join ann', 'join ann', 'leave ann']);
      expect(of('bob')).toEqual(['join bob']);
    }, 180_000);
  });
});
