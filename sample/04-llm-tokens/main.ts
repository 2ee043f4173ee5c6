// An answer that grows token by token: `npm run start:llm`, then open the printed address. PORT
// chooses the port (3000), HOST the address to listen on (this machine only; 0.0.0.0: everywhere).
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';
import { servePage } from './page.js';

await start({
  title: 'LLM tokens',
  command: 'npm run start:llm',
  module: AppModule,
  setup: servePage,
});
