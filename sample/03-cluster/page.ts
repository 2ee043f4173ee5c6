import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { bundle } from '../shared/bundle.js';
import { serveFolders } from '../shared/serve-folders.js';

const ORDERS = join(import.meta.dirname, '../02-orders/page');
const PANEL = join(import.meta.dirname, 'page');

/** The parts of the page that differ. In the page, each stands between two comments. */
const PARTS = ['head', 'title', 'try', 'behind', 'more'];

/** Serves the page of `02-orders` with other words and a panel that shows the processes. */
export function servePage(app: NestExpressApplication): void {
  const page = readFileSync(join(ORDERS, 'index.html'), 'utf8');
  serveFolders(app, {
    sample: '03-cluster',
    folders: { '/': ORDERS, '/panel': PANEL },
    made: { '/': PARTS.reduce(withPart, page), '/app.js': bundle(join(PANEL, 'panel')) },
  });
}

function withPart(page: string, name: string): string {
  const part = readFileSync(join(PANEL, `${name}.html`), 'utf8');
  return page.replace(new RegExp(`<!-- ${name} -->[^]*<!-- /${name} -->`), () => part);
}
