import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';

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

/**
 * Serves the files of each folder under its prefix, and what all samples share under `/shared`; a
 * page or a script in `made`, by its path, instead of a file.
 */
export function serveFolders(
  app: NestExpressApplication,
  folders: Record<string, string>,
  made: Record<string, string> = {},
): void {
  app.disable('x-powered-by');
  app.use((_request: unknown, response: ServerResponse, next: () => void) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    next();
  });
  for (const [path, text] of Object.entries(made)) {
    const type = path.endsWith('.js') ? 'text/javascript' : 'text/html';
    app.use(({ url = '' }: IncomingMessage, response: ServerResponse, next: () => void) => {
      if (url.split('?')[0] !== path) return next();
      response.setHeader('Content-Type', `${type}; charset=utf-8`).end(text);
    });
  }
  for (const [prefix, folder] of Object.entries({ ...folders, '/shared': SHARED })) {
    app.useStaticAssets(folder, { prefix });
  }
}

/** For a sample whose page is in its folder `page`, and nowhere else. */
export function servePageOf(folder: string): (app: NestExpressApplication) => void {
  return (app) => serveFolders(app, { '/': join(folder, 'page') });
}
