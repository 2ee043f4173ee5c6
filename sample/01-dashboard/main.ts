// Shows this machine live: `npm start`, then open the printed address. PORT chooses the port
// (3000), HOST the address to listen on (this machine only; 0.0.0.0: everywhere).
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';
import { servePage } from './page.js';

await start({ title: 'Dashboard', command: 'npm start', module: AppModule, setup: servePage });
