// Presence over several processes: when a join is known.
//
// Measured: four hubs on one Redis of the benchmark's own, each as a process would have it, in one
// process. The time from the beginning of a member's stream on one hub until the watchers of the
// three others have the member, beside the time that an event takes on the same way, in turns. Not
// shown: memory, because the tails of the logs hide what a member takes; processes that die
// (test/fault/presence.spec.ts).
import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Broadcaster, SseModule } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { fakeConnection } from 'nestjs-eventstream/testing';
import { filter, firstValueFrom } from 'rxjs';
import { goal, report } from './race.mjs';
import { hasRedis, startRedis } from './servers/redis.mjs';

const PROCESSES = 4;
const JOINS = 50;

Logger.overrideLogger(['error']);
if (hasRedis()) await measure();
else console.log('redis-server is not here (Debian: redis-server): nothing is measured');

async function measure() {
  const redis = await startRedis({ core: 1 });
  const apps = [];
  for (let n = 0; n < PROCESSES; n++) {
    const log = redisEventLog({ url: redis.url });
    const imports = [SseModule.forRoot({ log })];
    const module = await Test.createTestingModule({ imports }).compile();
    apps.push(await module.init());
  }
  const hubs = apps.map((app) => app.get(Broadcaster));
  const latency = await latencies(hubs);
  for (const app of apps) await app.close();
  await redis.stop();
  report('presence', { 'four processes': { '': latency } }, [
    goal('a join is known everywhere ÷ a hop', latency['join ÷ hop'], 2),
  ]);
}

async function latencies(hubs) {
  const [first, ...others] = hubs;
  const watch = { presence: { watch: true }, connection: false };
  const streams = others.map((hub) => hub.stream('lobby', watch));
  const heardBy = (isIt) =>
    Promise.all(streams.map((stream) => firstValueFrom(stream.pipe(filter(isIt)))));
  const hops = [];
  const joins = [];
  for (let n = 0; n <= JOINS; n++) {
    const event = heardBy(({ type, data }) => type === 'hop' && data === n);
    await settled();
    let began = performance.now();
    void first.to('lobby').emit('hop', n);
    await event;
    const hop = performance.now() - began;
    const joined = heardBy(({ type, data }) => type === 'sse-set' && data.key === `joins ${n}`);
    await settled();
    began = performance.now();
    join(first, `joins ${n}`);
    await joined;
    // The first one also takes the lease of its process.
    if (n === 0) continue;
    hops.push(hop);
    joins.push(performance.now() - began);
  }
  return {
    'hop ms': median(hops),
    'join ms': median(joins),
    'join ÷ hop': median(joins) / median(hops),
  };
}

function join(hub, id, room = 'lobby') {
  const connection = fakeConnection();
  const presence = { member: () => ({ id }) };
  return hub.stream(room, { connection, presence }).subscribe();
}

function settled() {
  return new Promise((resolve) => setTimeout(resolve, 100));
}

function median(list) {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
}
