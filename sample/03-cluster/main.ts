// The orders on several processes and a Redis, all of which may be killed: `npm run start:cluster`,
// then open the printed address. PROCESSES: how many (3). REDIS_URL: a Redis to use instead of one
// of its own. PORT chooses the port (3000), HOST the address to listen on (this machine only;
// 0.0.0.0: everywhere).
import cluster from 'node:cluster';

const { run } = await (cluster.isPrimary ? import('./primary.js') : import('./process.js'));
await run();
