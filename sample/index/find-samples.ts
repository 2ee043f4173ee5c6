import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Type } from '@nestjs/common';
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
 * Every numbered folder with a page of its own. 03-cluster borrows its page, and has processes of
 * its own: it runs by itself.
 */
export function findSamples(): FoundSample[] {
  return readdirSync(SAMPLES)
    .filter((name) => /^\d\d-/.test(name) && existsSync(pageOf(name)))
    .sort()
    .map((name) => ({ name, number: Number(name.slice(0, 2)), ...headOf(name) }));
}

/** A `page.ts` says how a page is served; without one it is what the folder `page` has. */
export async function loadSample(name: string): Promise<Pick<Sample, 'module' | 'setup'>> {
  const folder = join(SAMPLES, name);
  const { AppModule } = (await import(`../${name}/app.module.js`)) as { AppModule: Type };
  const hasOwn = readdirSync(folder).some((file) => /^page\.[jt]s$/.test(file));
  if (!hasOwn) return { module: AppModule, setup: servePageOf(folder) };
  const { servePage } = (await import(`../${name}/page.js`)) as { servePage: Sample['setup'] };
  return { module: AppModule, setup: servePage };
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
