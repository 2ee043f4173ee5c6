// All samples, each on a port of its own, and a page that lists them: `npm start`, then open the
// printed address. PORT chooses the port of the list (3000), HOST the address to listen on (this
// machine only; 0.0.0.0: everywhere).
import { servePageOf } from '../shared/serve-folders.js';
import { portOf, start, urlOf } from '../shared/start.js';
import { AppModule } from './app.module.js';
import { SamplesService } from './samples.service.js';

const list = await start({
  title: 'Samples',
  command: 'npm start',
  module: AppModule,
  setup: servePageOf(import.meta.dirname),
});

if (list !== undefined) {
  const samples = list.get(SamplesService);
  await samples.start(portOf(list), `${await urlOf(list)}/`);
  const dashboard = samples.find('01-dashboard');
  if (dashboard !== undefined) console.log(`  Dashboard  ${await urlOf(dashboard)}\n`);
}
