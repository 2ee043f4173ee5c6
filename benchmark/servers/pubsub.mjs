// Redis Pub/Sub with `ioredis` and nothing else: what is published goes to whoever listens, and to
// the readers of this process over node:http. And, for the benchmarks, scripts in a loop.
import http from 'node:http';
import { Redis } from 'ioredis';
import { listen } from './listen.mjs';

const now = () => performance.timeOrigin + performance.now();

/** `before`: as much as a notification of ours has besides the event's text. */
export async function start({ url, channel = 'bare', listens = false, before = 90 }) {
  const asking = new Redis(url);
  const readers = new Set();
  const arrivals = [];
  let isTiming = false;
  let count = 0;
  let waiter;

  if (listens) {
    const listening = new Redis(url);
    listening.on('message', (_channel, text) => {
      count += 1;
      if (isTiming) arrivals.push(now());
      for (const response of readers) response.write(text);
      if (waiter !== undefined && count >= waiter.events) waiter.resolve(now());
    });
    await listening.subscribe(channel);
  }
  const server = http.createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(': connected\n\n');
    readers.add(response);
    response.on('close', () => readers.delete(response));
  });
  let id = 0;
  return {
    port: await listen(server),
    publish(_room, data) {
      const text = `: ${'-'.repeat(before)}\nevent: n\nid: ${++id}\ndata: ${JSON.stringify(data)}\n\n`;
      void asking.publish(channel, text);
    },
    reset(timing) {
      isTiming = timing;
      count = arrivals.length = 0;
    },
    arrivals: () => arrivals,
    /** When so many messages have come since the reset. */
    until: (events) =>
      count >= events ? now() : new Promise((resolve) => (waiter = { events, resolve })),

    /**
     * The same script `events` times, `window` of them on their way at a time; answers how long
     * they took.
     */
    async repeat({ script, events, window }) {
      let left = events;
      const work = async () => {
        while (left-- > 0) await asking.evalsha(...script);
      };
      const from = performance.now();
      await Promise.all(Array.from({ length: window }, work));
      return performance.now() - from;
    },
  };
}
