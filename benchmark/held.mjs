// What one thing of a hub holds when it is filled: a process for each, so that none begins with the
// leavings of another.
import { Hub } from '../dist/lib/hub/hub.js';
import { MemoryEventLog } from '../dist/lib/log/event-log-memory.js';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { map } from 'rxjs';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { expose } from './rpc.mjs';

const { history } = SSE_DEFAULTS;
/** A text of its own each time, as from a request. */
const text = (bytes) => Buffer.alloc(bytes, 'x').toString();
const order = (n) =>
  JSON.parse(
    `{"no":${n},"status":"created","items":[{"name":"Mug","price":12.5}],"note":"${text(120)}"}`,
  );

async function open(options = history) {
  const log = new MemoryEventLog({ ...history, ...options });
  const hub = new Hub(log);
  await hub.start();
  return { log, hub };
}

/** Publishes one after the other, with a reader of the first room. */
async function publish({ hub }, count, rooms, data, options) {
  hub.stream(rooms(0)).subscribe();
  for (let n = 0; n < count; n++) {
    await hub.publish(rooms(n), { type: 'n', data: data(n) }, options?.(n));
    if (n % 100 === 0) await turn();
  }
}

const one = () => 'a';
const thousand = () => Array.from({ length: 1_000 }, (_none, n) => `follower ${n} of somebody`);

/** Each opens a hub, fills it beyond its budget, and answers both; `publish` is what differs. */
const CASES = {
  async 'events of 20 bytes, one room'() {
    const hub = await open({ maxEvents: 1e7 });
    await publish(hub, 400_000, one, (n) => `${n} ${text(13)}`);
    return hub;
  },
  async 'events of 200 bytes, one room'() {
    const hub = await open({ maxEvents: 1e7 });
    await publish(hub, 200_000, one, order);
    return hub;
  },
  async 'events of 1 MB, one room'() {
    const hub = await open();
    await publish(hub, 300, one, () => text(1_000_000));
    return hub;
  },
  async 'events of 20 bytes, a room each, 10^6 rooms'() {
    const hub = await open();
    await publish(
      hub,
      1_000_000,
      (n) => `room ${n} of many`,
      (n) => `${n} ${text(13)}`,
    );
    return hub;
  },
  async 'events of 20 bytes to 1 000 rooms each'() {
    const hub = await open();
    await publish(hub, 2_000, thousand, (n) => `${n} ${text(13)}`);
    return hub;
  },
  async 'a million keys'() {
    const hub = await open();
    await publish(hub, 1_000_000, one, Number, (n) => ({
      ephemeral: true,
      key: `order ${n} created`,
    }));
    return { ...hub, budget: history.maxBytes / 2 };
  },
  async 'events of 10 kB that 100 clients missed'() {
    const hub = await open();
    const lastEventId = await hub.hub.position();
    // As many as one replay carries.
    await publish(hub, 100, one, () => text(10_000));
    for (let client = 0; client < 100; client++) hub.hub.stream('a', { lastEventId }).subscribe();
    for (let n = 0; n < 20; n++) await turn();
    return { ...hub, budget: hub.log.bytes };
  },
  async 'events of 200 kB in operators that drop their ids'() {
    const hub = await open({ maxBytes: 2 ** 20 });
    hub.hub
      .stream('a')
      .pipe(map(({ type, data }) => ({ type, data })))
      .subscribe();
    await publish(hub, 300, one, () => text(200_000));
    return { ...hub, budget: 2 ** 20 };
  },
  async 'events of 1 kB while a snapshot is awaited'() {
    const hub = await open({ maxBytes: 1 });
    const ended = [];
    hub.hub
      .stream('a', { snapshot: () => new Promise(() => {}) })
      .subscribe({ error: ({ code }) => ended.push(code) });
    for (let n = 0; n < 980; n++) await hub.hub.to('a').emit('n', text(1_000));
    if (ended.length > 0) throw new Error(`ended too early: ${ended.join()}`);
    return { ...hub, budget: SSE_DEFAULTS.backpressure.maxBufferedBytes };
  },
};

function memory() {
  for (let n = 0; n < 4; n++) globalThis.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, rss };
}

expose({
  cases: () => Object.keys(CASES),

  async fill(name) {
    // So that what every hub needs is there already.
    const warm = await open();
    await publish(warm, 1_000, one, order, (n) => ({ key: `${n}` }));
    await warm.hub.close();
    const before = memory();
    const { hub, log, budget = history.maxBytes } = await CASES[name]();
    await turn();
    const filled = memory();
    const counted = log.bytes;
    await hub.close();
    await sleep(10);
    const closed = memory();
    return {
      budget,
      counted,
      heap: filled.heap - before.heap,
      resident: filled.rss - before.rss,
      'heap after close()': closed.heap - before.heap,
    };
  },
});
