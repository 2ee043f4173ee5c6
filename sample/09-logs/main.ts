// Each line that is appended to a file: `node dist/sample/09-logs/main.js`, then open the printed
// address.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'Logs',
  command: 'node dist/sample/09-logs/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
