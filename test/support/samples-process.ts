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
  readonly figure?: string;
}

/** What the page of the list gets. */
export interface List {
  readonly samples: readonly ListedSample[];
  readonly cluster: { readonly canRun: boolean; readonly port?: number };
}

/** The samples as they are now: the first event of the list's stream. */
export async function listSamples(url: string): Promise<readonly ListedSample[]> {
  const { samples } = await listWhen(url, () => true);
  return samples;
}

/** The first list that is as `isRight` says. */
export async function listWhen(url: string, isRight: (list: List) => boolean): Promise<List> {
  const abort = new AbortController();
  const response = await fetch(`${url}/samples`, { signal: abort.signal });
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data === undefined) continue;
      const list = JSON.parse(data) as List;
      if (!isRight(list)) continue;
      abort.abort();
      return list;
    }
  }
  throw new Error(`no list came: ${text}`);
}
