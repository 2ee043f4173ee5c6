import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { serveFolders } from '../shared/serve-folders.js';

const PAGE = join(import.meta.dirname, 'page');
const UPLOT = dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.iife.min.js'));

/** Serves the files in `page/`, and the plotting library from its package. */
export function servePage(app: NestExpressApplication): void {
  serveFolders(app, { folders: { '/': PAGE, '/uplot': UPLOT } });
}
