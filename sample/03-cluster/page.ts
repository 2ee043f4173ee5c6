import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { bundle } from '../shared/bundle.js';
import { serveFolders } from '../shared/serve-folders.js';

const ORDERS = join(import.meta.dirname, '../02-orders/page');
const PANEL = join(import.meta.dirname, 'page');

/** Serves the page of `02-orders` with a panel more. */
export function servePage(app: NestExpressApplication): void {
  const page = readFileSync(join(ORDERS, 'index.html'), 'utf8')
    .replace('</head>', `${readPart('head.html')}</head>`)
    .replace('<main>', `${readPart('panel.html')}<main>`);
  const script = bundle(join(PANEL, 'panel'));
  serveFolders(app, {
    sample: '03-cluster',
    folders: { '/': ORDERS, '/panel': PANEL },
    made: { '/': page, '/app.js': script },
  });
}

const readPart = (name: string): string => readFileSync(join(PANEL, name), 'utf8');
