import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Type } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { helpOf } from '../shared/links.js';
import { servePageOf } from '../shared/serve-folders.js';
import type { Sample } from '../shared/start.js';

const SAMPLES = join(import.meta.dirname, '..');

export interface FoundSample {
  /** The name of its folder, such as `05-time`. */
  readonly name: string;
  readonly number: number;
  /** From its page. */
  readonly title: string;
  readonly about: string;
  /** The page of the guide: a path in the project, and its title. */
  readonly guide: { readonly href: string; readonly title: string } | undefined;
}

export interface LoadedSample {
  readonly module: Type;
  readonly setup: Sample['setup'];
  /** A live figure for the list. */
  readonly figure?: (app: NestExpressApplication) => string;
}

/**
 * Every numbered folder with a page of its own. 03-cluster borrows its page, and has processes of
 * its own.
 */
export function findSamples(): FoundSample[] {
  return readdirSync(SAMPLES)
    .filter((name) => /^\d\d-/.test(name) && existsSync(pageOf(name)))
    .sort()
    .map((name) => ({ name, number: Number(name.slice(0, 2)), ...headOf(name) }));
}

/**
 * `page.ts` says how a page is served; without one it is what the folder `page` has. `figure.ts`
 * has a live figure.
 */
export async function loadSample(name: string): Promise<LoadedSample> {
  const folder = join(SAMPLES, name);
  const files = readdirSync(folder);
  const has = (module: string) =>
    files.some((file) => file === `${module}.js` || file === `${module}.ts`);
  const { AppModule } = (await import(`../${name}/app.module.js`)) as { AppModule: Type };
  const { servePage } = has('page')
    ? ((await import(`../${name}/page.js`)) as { servePage: Sample['setup'] })
    : { servePage: servePageOf(folder) };
  const { figure } = has('figure')
    ? ((await import(`../${name}/figure.js`)) as Pick<LoadedSample, 'figure'>)
    : {};
  return { module: AppModule, setup: servePage, ...(figure && { figure }) };
}

/** The head of its page says what it is about. */
function headOf(name: string): Pick<FoundSample, 'title' | 'about' | 'guide'> {
  const page = readFileSync(pageOf(name), 'utf8').replaceAll(/\s+/g, ' ');
  const [, title = name, about = ''] = /<h1>([^<]*)<\/h1>\s*<p>([^<]*)<\/p>/.exec(page) ?? [];
  return { title, about, guide: helpOf(page)[0] };
}

function pageOf(name: string): string {
  return join(SAMPLES, name, 'page', 'index.html');
}
