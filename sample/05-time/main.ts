// The time of the server, every second: `node dist/sample/05-time/main.js`, then open the printed
// address.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'Time',
  command: 'node dist/sample/05-time/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
