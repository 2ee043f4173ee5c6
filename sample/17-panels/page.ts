import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { bundle } from '../shared/bundle.js';
import { serveFolders } from '../shared/serve-folders.js';

const PAGE = join(import.meta.dirname, 'page');

/** Serves the files in `page/`, and its script with the client of the library in it. */
export function servePage(app: NestExpressApplication): void {
  serveFolders(app, { folders: { '/': PAGE }, made: { '/app.js': bundle(join(PAGE, 'app')) } });
}
