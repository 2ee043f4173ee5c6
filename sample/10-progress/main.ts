// How far a job is: `node dist/sample/10-progress/main.js`, then open the printed address.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'Progress',
  command: 'node dist/sample/10-progress/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
