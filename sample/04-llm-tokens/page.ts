import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { bundle } from '../shared/bundle.js';
import { serveFolders } from '../shared/serve-folders.js';

const PAGE = join(import.meta.dirname, 'page');

/** Serves the page that is written by hand, and the one with `useChat` and React in its script. */
export function servePage(app: NestExpressApplication): void {
  serveFolders(app, {
    folders: { '/': PAGE },
    made: {
      '/chat': readFileSync(join(PAGE, 'chat.html'), 'utf8'),
      '/chat.js': bundle(join(PAGE, 'chat')),
    },
  });
}
