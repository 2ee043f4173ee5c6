import { createRequire } from 'node:module';
import type { ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';

const PAGE = join(import.meta.dirname, 'page');
const UPLOT = dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.iife.min.js'));

/** The page needs its own files and its own stream, and nothing else from anywhere. */
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

/** Serves the files in `page/`, and the plotting library from its package. */
export function servePage(app: NestExpressApplication): void {
  app.disable('x-powered-by');
  app.use((_request: unknown, response: ServerResponse, next: () => void) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    next();
  });
  app.useStaticAssets(PAGE);
  app.useStaticAssets(UPLOT, { prefix: '/uplot' });
}
