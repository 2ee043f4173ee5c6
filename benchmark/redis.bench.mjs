// The log on Redis: what it costs, and what becomes of it when Redis is away. A real redis-server
// on this machine.
//
// Six measurements, each told in its file: `latency` from one app to a client of another,
// `publishing` per second, `ingest` of a process, clients `returning` to a new process, what
// `keeping` an event takes, and an `outage` of Redis. There are two cores: Redis is on core 0 and
// what publishes on core 1; where a third process, one with the clients, or the one that reads, has
// to share one of them, its file says which. Some of them: `PARTS=latency,ingest`; `AWAY_S=5`
// shortens the two outages of 30 s. Not shown: a network between the processes, a Cluster,
// replicas.
import { report } from './race.mjs';
import { hasRedis } from './servers/redis.mjs';
import { ingest } from './redis/ingest.mjs';
import { keeping } from './redis/keeping.mjs';
import { latency } from './redis/latency.mjs';
import { outage } from './redis/outage.mjs';
import { publishing } from './redis/publishing.mjs';
import { returning } from './redis/returning.mjs';

const PARTS = { latency, publishing, ingest, returning, keeping, outage };

if (hasRedis()) {
  const chosen = process.env.PARTS?.split(',') ?? Object.keys(PARTS);
  const unknown = chosen.filter((part) => PARTS[part] === undefined);
  if (unknown.length > 0)
    throw new Error(`no part ${unknown.join()}; there are ${Object.keys(PARTS).join()}`);
  const results = [];
  for (const part of chosen) {
    console.log(`${part} …`);
    results.push(await PARTS[part]());
  }
  report(
    process.env.PARTS === undefined ? 'redis' : `redis-${chosen.join('-')}`,
    Object.assign({}, ...results.map(({ tables }) => tables)),
    results.flatMap(({ goals }) => goals),
  );
} else {
  console.log('redis-server is not here (Debian: redis-server): nothing is measured');
}
