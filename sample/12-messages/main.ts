// Messages with ids of their own: `node dist/sample/12-messages/main.js`, then open the printed
// address.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'Messages',
  command: 'node dist/sample/12-messages/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
