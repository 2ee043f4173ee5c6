// Rooms to talk in: `node dist/sample/11-chat/main.js`, then open the printed address.
import { servePageOf } from '../shared/serve-folders.js';
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';

await start({
  title: 'Chat',
  command: 'node dist/sample/11-chat/main.js',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});
