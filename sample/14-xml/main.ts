// Events as XML: `node dist/sample/14-xml/main.js`, then open the printed address.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'XML',
  command: 'node dist/sample/14-xml/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
