// Notifications to one user, or to everybody: `node dist/sample/08-notifications/main.js`, then
// open the printed address.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'Notifications',
  command: 'node dist/sample/08-notifications/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
