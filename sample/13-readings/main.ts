// Two sensors, and what the options of a stream do: `node dist/sample/13-readings/main.js`, then
// open the printed address.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'Readings',
  command: 'node dist/sample/13-readings/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
