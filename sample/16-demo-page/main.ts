// The page to begin with: `node dist/sample/16-demo-page/main.js`, then open the printed address.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'Demo page',
  command: 'node dist/sample/16-demo-page/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
