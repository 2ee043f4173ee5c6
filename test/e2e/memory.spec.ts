import { spawn } from 'node:child_process';
import { get } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Watch } from '../../lib/testing/watch.js';

const ROOT = join(import.meta.dirname, '../..');

/**
 * The app of `apps/large-events.ts` with a heap of so many MB: what it has printed, and whether it
 * is over.
 */
function startLargeEvents(heapMb: number, count: number, bytes: number) {
  const loader = join(ROOT, 'test/support/typescript.mjs');
  const flags = [`--max-old-space-size=${heapMb}`, '--import', loader];
  const app = join(ROOT, 'test/support/apps/large-events.ts');
  const child = spawn(process.execPath, [...flags, app, `${count}`, `${bytes}`], { cwd: ROOT });
  const watch = new Watch();
  let printed = '';
  for (const output of [child.stdout, child.stderr]) {
    output.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      watch.changed();
    });
  }
  child.once('exit', (code, signal) => watch.end(`it has ended: ${code ?? signal}`));
  const next = (pattern: RegExp): Promise<string> =>
    watch.until(
      () => pattern.exec(printed)?.[1],
      (why) => new Error(`${why}; it printed:\n${printed.slice(-2_000)}`),
    );
  return { next, stop: () => child.kill('SIGKILL') };
}

describe('the memory of a process', () => {
  it('does not grow with the size of what was delivered: a thousand events of 1 MB on a heap of 256', async () => {
    const { next, stop } = startLargeEvents(256, 1_000, 1_000_000);
    try {
      const port = await next(/port (\d+)/);
      let received = 0;
      const watch = new Watch();
      const request = get(`http://127.0.0.1:${port}/events`, (response) => {
        response.on('data', (chunk: Buffer) => {
          received += chunk.length;
          watch.changed();
        });
        response.on('close', () => watch.end('the stream has ended'));
      });
      request.on('error', ({ message }) => watch.end(message));
      expect(await next(/published (\d+)/)).toBe('1000');
      const all = 1_000 * 1_000_000;
      const explain = (why: string): Error =>
        new Error(`${why}, after ${received} of ${all} bytes`);
      await watch.until(() => (received > all ? received : undefined), explain);
      request.destroy();
    } finally {
      stop();
    }
  }, 120_000);
});
