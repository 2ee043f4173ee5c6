// A live list of orders: `npm run start:orders`, then open the printed address. PORT chooses the
// port (3000), HOST the address to listen on (this machine only; 0.0.0.0: everywhere).
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';
import { serveDocument } from './document.js';
import { servePage } from './page.js';

await start({
  title: 'Orders',
  command: 'npm run start:orders',
  module: AppModule,
  setup: (app) => {
    servePage(app);
    serveDocument(app);
  },
});
