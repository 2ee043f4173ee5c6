// Tools for models: `node dist/sample/18-mcp/main.js`. Several processes share REDIS_URL.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'Tools for models',
  command: 'node dist/sample/18-mcp/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
