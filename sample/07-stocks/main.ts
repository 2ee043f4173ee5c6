// Prices of one stock, and those before: `node dist/sample/07-stocks/main.js`, then open the
// printed address.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'Stocks',
  command: 'node dist/sample/07-stocks/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
