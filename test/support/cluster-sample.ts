import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/**
 * The sample as `npm run start:cluster` starts it, from its sources, on a free port; it ends with
 * this process at the latest.
 */
export async function startCluster(): Promise<{ sample: ChildProcess; url: string }> {
  const loader = ['--import', join(ROOT, 'test/support/typescript.mjs')];
  const { REDIS_URL: _another, ...inherited } = process.env;
  const sample = spawn(process.execPath, [...loader, join(ROOT, 'sample/03-cluster/main.ts')], {
    env: { ...inherited, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const url = await new Promise<string>((resolve, reject) => {
    let output = '';
    const read = (text: string): void => {
      output += text;
      const found = /http:\/\/\S+/.exec(output);
      if (found) resolve(found[0]);
    };
    sample.stdout!.setEncoding('utf8').on('data', read);
    sample.stderr!.setEncoding('utf8').on('data', read);
    sample.once('exit', () => reject(new Error(output)));
  });
  return { sample, url };
}
