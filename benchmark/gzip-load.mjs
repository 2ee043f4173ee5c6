// The clients of one server that read compressed streams, in a process of their own: `load.mjs` in
// small, with HTTP and gzip of Node. An event is known by its one `~`.
import http from 'node:http';
import { createGunzip } from 'node:zlib';
import { expose } from './rpc.mjs';

const MARK = '~'.charCodeAt(0);

let counts = [];
let total = 0;
let bytes = 0;
let waiter;

function open({ index, port, path, headers }) {
  counts[index] = 0;
  return new Promise((resolve, reject) => {
    const request = http.get({ port, path, headers, agent: false }, (response) => {
      response.on('data', (chunk) => (bytes += chunk.length));
      const isGzip = response.headers['content-encoding'] === 'gzip';
      const text = isGzip ? response.pipe(createGunzip()) : response;
      text.on('data', (chunk) => {
        resolve();
        let seen = 0;
        for (let at = chunk.indexOf(MARK); at >= 0; at = chunk.indexOf(MARK, at + 1)) seen++;
        counts[index] += seen;
        total += seen;
        if (total >= waiter?.target) waiter.resolve();
      });
      text.on('error', reject);
    });
    request.on('error', reject);
  });
}

expose({
  async open({ port, count, paths: [path], headers, window = 50 }) {
    const indices = Array.from({ length: count }, (_, n) => n).values();
    const worker = async () => {
      for (const index of indices) await open({ index, port, path, headers });
    };
    await Promise.all(Array.from({ length: window }, worker));
  },

  reset() {
    counts.fill(0);
    total = bytes = 0;
  },

  /** Waits until all have got `events` each, and says whether each has exactly those. */
  async expect({ events, timeoutMs = 60_000 }) {
    const target = events * counts.length;
    if (total < target) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        waiter = { target, resolve: () => (clearTimeout(timer), resolve()) };
      });
      waiter = undefined;
    }
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    return { isExact: least === events && most === events, least, most, bytes };
  },
});
