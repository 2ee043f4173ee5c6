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
  CHAOS_WITHOUT: 'snapshot,replica,garbage',
};

describe('a short run of the adversary', () => {
  let run: ChildProcess | undefined;

  afterEach(() => {
    run?.kill('SIGTERM');
  });

  it.each([
    ['memory', true],
    ['redis', hasRedis],
  ])(
    'finds nothing with the log in %s',
    async (log, isThere) => {
      if (!isThere) return;
      const { code, printed } = await chaos({ ...SHORT, CHAOS_LOG: log });
      const json = /^JSON: (.*)$/m.exec(printed)?.[1] ?? '{}';
      // What has failed is of more use than an exit code.
      expect({ printed: code === 0 ? '' : printed, ...JSON.parse(json) }).toMatchObject({
        printed: '',
        failures: [],
        lostUntold: 0,
        doubled: 0,
        outOfOrder: 0,
        foreign: 0,
      });
      expect(JSON.parse(json).returns).toBeGreaterThan(0);
    },
    120_000,
  );

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
