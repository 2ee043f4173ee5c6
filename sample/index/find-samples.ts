import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sample } from '../shared/start.js';
import { servePageOf } from '../shared/serve-folders.js';

const SAMPLES = join(import.meta.dirname, '..');

export interface FoundSample {
  /** Of its folder, such as `05-time`. */
  name: string;
  number: number;
  /** From its page. */
  title: string;
  about: string;
}

/**
 * Every numbered folder with an `app.module` and a page. 03-cluster has processes and a page that it makes up when it starts, and
 * so runs only by itself.
 */
export function findSamples(): FoundSample[] {
  return readdirSync(SAMPLES)
    .filter((name) => /^\d\d-/.test(name) && existsSync(pageOf(name)))
    .sort()
    .map((name) => ({ name, number: Number(name.slice(0, 2)), ...headOf(name) }));
}

/** Where nothing else is exported as `servePage` by its `page.ts`, a sample is served with its folder `page`. */
export async function loadSample(name: string): Promise<Pick<Sample, 'module' | 'setup'>> {
  const folder = join(SAMPLES, name);
  const { AppModule } = await import(`../${name}/app.module.js`);
  const hasOwn = readdirSync(folder).some((file) => /^page\.[jt]s$/.test(file));
  const setup = hasOwn ? (await import(`../${name}/page.js`)).servePage : servePageOf(folder);
  return { module: AppModule, setup };
}

/** What stands on top of its page says what it is about. */
function headOf(name: string): { title: string; about: string } {
  const page = readFileSync(pageOf(name), 'utf8');
  const [, title = name, about = ''] =
    /<h1>([^<]*)<\/h1>\s*<p>([^<]*)<\/p>/.exec(page.replaceAll(/\s+/g, ' ')) ?? [];
  return { title, about };
}

function pageOf(name: string): string {
  return join(SAMPLES, name, 'page', 'index.html');
}
