// The clients of one server, in a process of their own. They count: an event is known by its one
// `~`, found by memchr, after a quote; nothing is parsed, so that the load is never what limits a
// race. The quote is for WebSockets, where the byte of `~` is also in the head of each frame of 126
// bytes or more.
import net from 'node:net';
import { expose } from './rpc.mjs';

const MARK = '~'.charCodeAt(0);
const QUOTE = '"'.charCodeAt(0);
const now = () => performance.timeOrigin + performance.now();

let sockets = [];
let counts = new Uint32Array(0);
let total = 0;
let bytes = 0;
let failed = 0;
let lastAt = 0;
/** Arrival times by event and socket, when latencies are asked for. */
let arrivals;
/** What one socket received, when its text is asked for. */
let texts;
let waiter;

/** All sockets read into one buffer: what was read is counted before the next is read. */
const shared = Buffer.allocUnsafe(1 << 18);

function open({ index, port, path, headers = {} }) {
  return new Promise((resolve) => {
    let hasHead = false;
    let before = 0;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = net.connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: shared,
        callback: (length, buffer) => {
          if (!hasHead) {
            hasHead = true;
            resolve(socket);
          }
          bytes += length;
          const chunk = buffer.subarray(0, length);
          if (texts !== undefined && index === 0) texts.push([now(), chunk.toString('latin1')]);
          let seen = 0;
          for (let at = chunk.indexOf(MARK); at >= 0; at = chunk.indexOf(MARK, at + 1)) {
            if ((at === 0 ? before : chunk[at - 1]) === QUOTE) seen++;
          }
          before = chunk[length - 1];
          if (seen > 0) received(index, seen);
        },
      },
    });
    socket.setNoDelay(true);
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n${lines.join('')}\r\n`,
    );
    socket.on('error', () => {});
    socket.on('close', () => {
      if (!socket.isLeaving) failed++;
      resolve(socket);
    });
  });
}

function received(index, seen) {
  lastAt = now();
  if (arrivals !== undefined) {
    for (let n = 0; n < seen; n++) arrivals.push(counts[index] + n, lastAt);
  }
  counts[index] += seen;
  total += seen;
  if (waiter !== undefined && total >= waiter.target) waiter.resolve();
}

async function many(count, window, each) {
  let next = 0;
  const worker = async () => {
    while (next < count) await each(next++);
  };
  await Promise.all(Array.from({ length: window }, worker));
}

expose({
  /**
   * Opens `count` streams, some at a time, and answers how long it took. Socket n asks for `paths[n
   * % paths.length]`.
   */
  async open({ port, count, paths, headers, window = 128 }) {
    const from = sockets.length;
    const grown = new Uint32Array(from + count);
    grown.set(counts);
    counts = grown;
    const start = performance.now();
    await many(count, window, async (n) => {
      const index = from + n;
      const path = paths[n % paths.length];
      const own = Array.isArray(headers) ? headers[n % headers.length] : headers;
      sockets[index] = await open({ index, port, path, headers: own });
    });
    return performance.now() - start;
  },

  /** From now on counts begin at 0. */
  reset({ latencies = false, text = false } = {}) {
    counts.fill(0);
    total = bytes = lastAt = 0;
    arrivals = latencies ? [] : undefined;
    texts = text ? [] : undefined;
  },

  /**
   * Waits until all sockets together have got `events` each, and says whether each has exactly
   * those.
   */
  async expect({ events, sockets: among = counts.length, timeoutMs = 30_000 }) {
    const target = events * among;
    if (total < target) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        waiter = { target, resolve: () => (clearTimeout(timer), resolve()) };
      });
      waiter = undefined;
    }
    const own = counts.subarray(0, among);
    const [least, most] = [Math.min(...own), Math.max(...own)];
    return { isExact: least === events && most === events, least, most, total, bytes, lastAt };
  },

  /**
   * Milliseconds from `published[event]` to its arrival: all of them sorted and cut to quantiles;
   * and the last of each event.
   */
  latencies(published) {
    const all = new Float64Array(arrivals.length / 2);
    const last = published.map(() => 0);
    for (let n = 0; n < all.length; n++) {
      const event = arrivals[2 * n];
      all[n] = arrivals[2 * n + 1] - published[event];
      last[event] = Math.max(last[event], all[n]);
    }
    all.sort();
    const quantile = (q) => all[Math.floor(q * (all.length - 1))];
    return { p50: quantile(0.5), p99: quantile(0.99), max: quantile(1), last };
  },

  /** The chunks of the first socket since the reset, each with its time. */
  text: () => texts,

  pause: (index) => sockets[index].pause(),

  failed: () => failed,

  /** Opens a stream and leaves it, `count` times; half say goodbye, half are cut off. */
  async churn({ port, count, path, window = 64 }) {
    const start = performance.now();
    await many(count, window, async (n) => {
      const socket = await open({ index: 0, port, path });
      socket.isLeaving = true;
      if (n % 2 === 0) socket.destroy();
      else socket.resetAndDestroy();
    });
    return performance.now() - start;
  },

  close() {
    for (const socket of sockets) {
      socket.isLeaving = true;
      socket.resetAndDestroy();
    }
    sockets = [];
    counts = new Uint32Array(0);
    failed = 0;
  },
});
