import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

export interface SamplesProcess {
  readonly child: ChildProcess;
  /** Of the list. */
  readonly url: string;
  /** All that it has printed. */
  readonly printed: () => string;
}

/** What `npm start` runs, without a build, on free ports. Resolves when all samples listen. */
export function startSamples(): Promise<SamplesProcess> {
  const loader = join(ROOT, 'test/support/typescript.mjs');
  const child = spawn(process.execPath, ['--import', loader, 'sample/index/main.ts'], {
    cwd: ROOT,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      text += chunk.toString();
      const url = /Samples {2}(http\S+)/.exec(text)?.[1];
      if (url !== undefined && /Dashboard {2}http\S+\n/.test(text)) {
        resolve({ child, url, printed: () => text });
      }
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('exit', () => reject(new Error(`the samples have ended: ${text}`)));
  });
}

export interface ListedSample {
  readonly name: string;
  readonly number: number;
  readonly title: string;
  readonly about: string;
  readonly port: number;
  readonly streams: number;
}

/** The list as it is now: the first event of its stream. */
export async function listSamples(url: string): Promise<ListedSample[]> {
  const abort = new AbortController();
  const response = await fetch(`${url}/samples`, { signal: abort.signal });
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const data = /^data: (.*)$/m.exec(text)?.[1];
    if (data === undefined || !text.includes(`${data}\n\n`)) continue;
    abort.abort();
    return JSON.parse(data) as ListedSample[];
  }
  throw new Error(`no list came: ${text}`);
}
