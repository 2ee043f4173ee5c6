// A stream that ends, and is not asked for again: `node dist/sample/06-counter/main.js`, then open
// the printed address.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'Counter',
  command: 'node dist/sample/06-counter/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
