import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, dirname, join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { withLinks } from './links.js';

/** What the pages of all samples look alike by. */
const SHARED = join(import.meta.dirname, 'page');

/** A page needs its own files and its own stream, and nothing else from anywhere. */
const HEADERS = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

export interface Page {
  /** The folder of the sample, such as `05-time`. Default: the one that `/` is in. */
  readonly sample?: string;
  /** Folders with files, by the prefix of their paths. `/` has the page itself. */
  readonly folders: Record<string, string>;
  /** A page or a script by its path, instead of a file. */
  readonly made?: Record<string, string>;
}

/** Serves the page of a sample, its files, and what all samples share under `/shared`. */
export function serveFolders(app: NestExpressApplication, { folders, made = {}, ...page }: Page) {
  app.disable('x-powered-by');
  app.use((_request: unknown, response: ServerResponse, next: () => void) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    next();
  });
  const root = folders['/'] ?? '';
  const sample = page.sample ?? basename(dirname(root));
  const html = made['/'] ?? readFileSync(join(root, 'index.html'), 'utf8');
  for (const [path, text] of Object.entries({ ...made, '/': html })) {
    const isScript = path.endsWith('.js');
    const type = isScript ? 'text/javascript' : 'text/html';
    app.use(({ url = '' }: IncomingMessage, response: ServerResponse, next: () => void) => {
      if (url.split('?')[0] !== path) return next();
      response.setHeader('Content-Type', `${type}; charset=utf-8`);
      response.end(isScript ? text : withLinks(text, sample, homeOf(app)));
    });
  }
  for (const [prefix, folder] of Object.entries({ ...folders, '/shared': SHARED })) {
    app.useStaticAssets(folder, { prefix });
  }
}

/** For a sample whose page is in its folder `page`, and nowhere else. */
export function servePageOf(folder: string): (app: NestExpressApplication) => void {
  return (app) => serveFolders(app, { folders: { '/': join(folder, 'page') } });
}

/** Where the list of all samples is, if it runs too. */
export function setHome(app: NestExpressApplication, home: string): void {
  app.setLocal('home', home);
}

function homeOf(app: NestExpressApplication): string | undefined {
  const { locals } = app.getHttpAdapter().getInstance() as { locals: { home?: string } };
  return locals.home;
}
