import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findProgram } from '../support/processes.js';
import {
  listSamples,
  startSamples,
  type ListedSample,
  type SamplesProcess,
} from '../support/samples-process.js';

const readme = readFileSync(join(import.meta.dirname, '../../sample/README.md'), 'utf8');
const examples = [...readme.matchAll(/```sh\n(.*)\n```\n\n```text\n([\s\S]*?)\n```/g)].map(
  ([, command = '', output = '']) => ({ command, output }),
);

const hasCurl = findProgram('curl') !== undefined;
if (!hasCurl) process.stdout.write('The lines with curl are skipped: there is no curl in PATH\n');

describe('the README of the samples', () => {
  let samples: SamplesProcess;
  let listed: readonly ListedSample[];

  beforeAll(async () => {
    samples = await startSamples();
    listed = await listSamples(samples.url);
  }, 60_000);

  afterAll(() => {
    samples?.child.kill();
  });

  it('lists every sample, and has something to try with each', () => {
    for (const { name, number } of listed) {
      expect(readme).toContain(`| [${name}](${name})`);
      const port = String(3_000 + number);
      expect(examples.map(({ command }) => command).join('\n')).toContain(`localhost:${port}/`);
    }
  });

  (hasCurl ? describe : describe.skip)('shows what comes of', () => {
    const printed = new Map<string, Promise<string>>();

    // Those of one sample build upon each other; the samples are tried at the same time, as some
    // take theirs.
    beforeAll(() => {
      const last = new Map<number, Promise<unknown>>();
      for (const { command, output } of examples) {
        const number = Number(/localhost:3(\d{3})/.exec(command)?.[1]);
        const port = listed.find((sample) => sample.number === number)?.port;
        const here = command.replaceAll(/localhost:\d+/g, `localhost:${port}`);
        const printing = Promise.resolve(last.get(number)).then(() => run(here, shapeOf(output)));
        printed.set(command, printing);
        last.set(number, printing);
      }
    });

    // feature: 105
    // fault: 25
    it.each(examples)('$command', async ({ command, output }) => {
      const expected = shapeOf(output);
      expect((await printed.get(command))?.slice(0, expected.length)).toBe(expected);
    });
  });
});

/** What is drawn or measured differs each time: all else is as shown. */
function shapeOf(text: string): string {
  return text
    .replaceAll('\r', '')
    .replaceAll(/retry: \d+/g, 'retry: N')
    .replaceAll(/1\.[\w-]+\.[\da-z]+/g, 'CURSOR')
    .replaceAll(/~j\.[\w-]+/g, '~KEY')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/"at":\d+/g, '"at":N')
    .replaceAll(/"connection":"[\w-]+"/g, '"connection":"ID"')
    .replaceAll(/"stream":"[\w.-]+"/g, '"stream":"TOKEN"')
    .replaceAll(/"price":[\d.]+/g, '"price":N');
}

/**
 * The shape of what the command prints, up to what is expected: most of them would go on for ever.
 */
function run(command: string, expected: string): Promise<string> {
  const child = spawn('sh', ['-c', command.replaceAll('curl ', 'curl -s ')], {
    stdio: ['ignore', 'pipe', 'ignore'],
    // A group, which is ended as a whole.
    detached: true,
  });
  let text = '';
  return new Promise((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      // What is ended already, by this or by itself, may still have something to read.
      const isOver = child.exitCode !== null || child.signalCode !== null;
      if (!isOver && shapeOf(text).startsWith(expected)) process.kill(-child.pid!, 'SIGKILL');
    });
    child.once('close', () => resolve(shapeOf(text)));
  });
}
