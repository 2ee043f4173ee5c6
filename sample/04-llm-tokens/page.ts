import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { serveFolders } from '../shared/serve-folders.js';

/** Serves the files in `page/`. */
export function servePage(app: NestExpressApplication): void {
  serveFolders(app, { '/': join(import.meta.dirname, 'page') });
}
