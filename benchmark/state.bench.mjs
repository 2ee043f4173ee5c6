// State rooms: what a change costs beside an event, and how a newcomer gets a large state.
//
// Measured: the CPU of this process per `set()` of one of 1 000 keys and per `emit()` of the same
// value, in turns in short rounds, with the log in memory and on a Redis of its own (there the time
// per call, a hundred at once, which counts the work of Redis too). Then a client in a process of
// its own that reads a room of 10^5 keys while 1 000 values per second are set: the time from its
// request to the last entry, and the longest time that the event loop of the server was held
// meanwhile. Not shown: many newcomers at once.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import 'reflect-metadata';
import { Controller, Inject } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Broadcaster, SseModule, SseStream } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { goal, report } from './race.mjs';
import { decorate } from './servers/decorate.mjs';
import { hasRedis, startRedis } from './servers/redis.mjs';

const KEYS = 100_000;
const SETS_PER_SECOND = 1_000;
const ROUNDS = 9;
const VALUE = { bid: 102.5, ask: 102.75, at: 1_700_000_000_000 };

if (process.argv[2] === 'client') await readAll(process.argv[3]);
else await measure();

/** Tells its parent how long it took until the last entry was there. */
async function readAll(url) {
  const began = performance.now();
  const [response] = await once(get(url), 'response');
  response.setEncoding('utf8');
  let left = Infinity;
  let rest = '';
  for await (const text of response) {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const entries = /"entries":(\d+)/.exec(block)?.[1];
      if (entries !== undefined) left = Number(entries);
      else if (block.startsWith('event: sse-set')) left--;
    }
    if (left <= 0) break;
  }
  process.send(performance.now() - began, () => process.exit());
}

async function measure() {
  const redis = hasRedis() ? await startRedis({ core: 1 }) : undefined;
  const results = {};
  for (const [name, log] of [
    ['memory', undefined],
    ['Redis', redis && redisEventLog({ url: redis.url })],
  ]) {
    if (name === 'Redis' && redis === undefined) continue;
    results[name] = await measureOn(name, log);
  }
  await redis?.stop();
  const goals = Object.entries(results).flatMap(([name, result]) => [
    goal(`${name}: a set ÷ an emit`, result['set ÷ emit'], 1.3),
    goal(`${name}: seconds until a newcomer has 10^5 entries`, result['newcomer s'], 1),
    goal(`${name}: the event loop was held, ms`, result['longest hold ms'], 20),
  ]);
  report('state', { 'state rooms': results }, goals);
}

async function measureOn(name, log) {
  class Streams {
    constructor(hub) {
      this.hub = hub;
    }
    prices() {
      return this.hub.stream('prices');
    }
  }
  Inject(Broadcaster)(Streams, undefined, 0);
  decorate(Streams, 'prices', [SseStream('prices')]);
  Controller()(Streams);
  const imports = [SseModule.forRoot({ log, state: { maxKeys: KEYS, maxBytes: 2 ** 30 } })];
  const module = await Test.createTestingModule({ imports, controllers: [Streams] }).compile();
  const app = module.createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
  const hub = app.get(Broadcaster);

  const ratio = await costOf(hub, name === 'Redis');
  const prices = hub.state('prices');
  for (let n = 0; n < KEYS; n += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, (_, k) => prices.set(`key ${n + k}`, VALUE)));
  }
  const over = new AbortController();
  const setting = (async () => {
    for (let n = 0; !over.signal.aborted; n += 10) {
      for (let k = 0; k < 10; k++) void prices.set(`key ${(n + k) % KEYS}`, VALUE);
      await sleep((10 / SETS_PER_SECOND) * 1_000);
    }
  })();
  const seconds = [];
  const holds = [];
  for (let round = 0; round < 5; round++) {
    const client = fork(import.meta.filename, ['client', `${await app.getUrl()}/prices`]);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const [ms] = await once(client, 'message');
    delay.disable();
    seconds.push(ms / 1_000);
    holds.push(delay.max / 1e6);
  }
  over.abort();
  await setting;
  await app.close();
  return {
    'set ÷ emit': ratio,
    'newcomer s': median(seconds),
    'longest hold ms': median(holds),
  };
}

/** What a set costs ÷ what an emit costs, in CPU or, with a log elsewhere, in time. */
async function costOf(hub, isElsewhere) {
  const room = hub.state('cost');
  const rounds = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const costs = [];
    for (const call of [
      (n) => hub.to('cost').emit('price', { room: 'cost', key: `key ${n}`, value: VALUE }),
      (n) => room.set(`key ${n}`, VALUE),
    ]) {
      const before = isElsewhere ? performance.now() : process.cpuUsage();
      for (let n = 0; n < 100; n++) {
        await Promise.all(Array.from({ length: 100 }, (_, k) => call((n * 100 + k) % 1_000)));
      }
      if (isElsewhere) costs.push(performance.now() - before);
      else {
        const { user, system } = process.cpuUsage(before);
        costs.push(user + system);
      }
    }
    // The first round warms up.
    if (round > 0) rounds.push(costs[1] / costs[0]);
  }
  return median(rounds);
}

function median(list) {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
}
