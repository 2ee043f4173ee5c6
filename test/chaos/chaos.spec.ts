import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { afterEach, describe, expect, it } from '@jest/globals';

const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
/** Of a small world; the long run is `npm run test:chaos`. */
const SHORT = {
  CHAOS_SEED: '7',
  CHAOS_SECONDS: '6',
  CHAOS_PACE: '4',
  CHAOS_CLIENTS: '12',
  CHAOS_RATE: '60',
  CHAOS_WIDE: '400',
  CHAOS_SOURCES: '1',
};

describe('a short run of the adversary', () => {
  let run: ChildProcess | undefined;

  afterEach(() => {
    run?.kill('SIGTERM');
  });

  it('finds nothing with the log in memory', async () => {
    expect(await found('memory')).toEqual([]);
  }, 120_000);

  (hasRedis ? describe : describe.skip)('of several processes', () => {
    it('finds nothing with the log on Redis', async () => {
      expect(await found('redis')).toEqual([]);
    }, 120_000);
  });

  /** Why the run failed; where it did, also what it printed, which is of more use. */
  async function found(log: string): Promise<string[]> {
    const { code, printed } = await chaos({ ...SHORT, CHAOS_LOG: log });
    const json = /^JSON: (.*)$/m.exec(printed)?.[1];
    if (json === undefined) return [printed];
    const { failures, returns } = JSON.parse(json) as { failures: string[]; returns: number };
    if (returns === 0) failures.push('no client returned');
    return code === 0 ? failures : [...failures, printed];
  }

  function chaos(env: Record<string, string>): Promise<{ code: number | null; printed: string }> {
    const child = spawn(process.execPath, ['test/chaos/run.mjs'], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    run = child;
    let printed = '';
    const take = (chunk: Buffer): void => void (printed += chunk.toString());
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    return new Promise((resolve) => child.once('close', (code) => resolve({ code, printed })));
  }
});
