// A server of a race as a process: `main.mjs NAME OPTIONS` starts `NAME.mjs` and does what the
// benchmark asks for.
import { setTimeout as sleep } from 'node:timers/promises';
import { expose } from '../rpc.mjs';

const [name, options = '{}'] = process.argv.slice(2);
const module = await import(`./${name}.mjs`);
const server = await module.start(JSON.parse(options));

const now = () => performance.timeOrigin + performance.now();
/** About 100 bytes of JSON with the other field; its `~` is what the load counts. */
const note = (bytes = 86) => `~${'x'.repeat(bytes - 1)}`;
let published = 0;
const price = priceEvents();
let peak = 0;
let sampler;

function priceEvents() {
  let [last, volume, time] = [42, 100_000, 1_760_000_000_000];
  return () => {
    const change = (Math.random() - 0.5) * 0.4;
    last = Math.max(1, last + change);
    volume += Math.floor(Math.random() * 900);
    time += Math.floor(Math.random() * 400);
    const [bid, ask] = [last - 0.03, last + 0.03].map((value) => Number(value.toFixed(2)));
    const at = new Date(time).toISOString();
    return { symbol: '~ACME', change: Number(change.toFixed(3)), volume, bid, ask, at };
  };
}

const cpu = () => {
  if (server.cpu !== undefined) return server.cpu();
  const { user, system } = process.cpuUsage();
  return user + system;
};

expose({
  port: () => server.port,

  /** CPU time used so far, in microseconds. */
  cpu,

  /**
   * Publishes `turns` times `burst` events to each of the rooms, all of a turn without letting go
   * of the thread. The next turn begins `gapMs` after the work of this one, and not before
   * `everyMs` after its beginning. Answers when each event was published, by its number in its
   * room.
   */
  async publish({ turns, burst = 1, gapMs = 0, everyMs = 0, rooms = ['all'], bytes }) {
    const text = note(bytes);
    const times = [];
    for (let turn = 0; turn < turns; turn++) {
      const at = now();
      for (let n = 0; n < burst; n++) {
        for (const room of rooms) server.publish(room, { n: published++, note: text });
        times.push(at);
      }
      await sleep(Math.max(gapMs, everyMs - (now() - at)));
    }
    return times;
  },

  /**
   * As `publish()`, events of a price that walks at random: about 160 bytes each on the wire, and
   * no two alike.
   */
  async publishPrices({ turns, burst = 1, gapMs }) {
    for (let turn = 0; turn < turns; turn++) {
      for (let n = 0; n < burst; n++) server.publish('all', price());
      await sleep(gapMs);
    }
  },

  /** As many events per second as asked for, by the clock and evenly, whatever the timers do. */
  async publishAtRate({ perSecond, events }) {
    const text = note();
    const times = [];
    const start = now();
    while (times.length < events) {
      const at = now();
      const due = Math.min(events, ((at - start) / 1000) * perSecond);
      while (times.length < due) {
        server.publish('all', { n: times.length, note: text });
        times.push(at);
      }
      await sleep(1);
    }
    return times;
  },

  memory() {
    for (let n = 0; n < 4; n++) globalThis.gc();
    const { heapUsed, rss } = process.memoryUsage();
    return { heapUsed, rss };
  },

  watchPeak() {
    peak = process.memoryUsage.rss();
    clearInterval(sampler);
    sampler = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 10);
  },

  peak() {
    clearInterval(sampler);
    return Math.max(peak, process.memoryUsage.rss());
  },

  /** What only this server can be asked. */
  ask: (question, ...args) => server[question](...args),
});
