// Pictures as events: `node dist/sample/15-binary/main.js`, then open the printed address.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'Binary',
  command: 'node dist/sample/15-binary/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
