// Ten panels, one stream for all tabs: `node dist/sample/17-panels/main.js`, then open the printed
// address.
import { start } from '../shared/start.js';
import { AppModule } from './app.module.js';
import { servePage } from './page.js';

await start({
  title: 'Ten panels',
  command: 'node dist/sample/17-panels/main.js',
  module: AppModule,
  setup: servePage,
});
