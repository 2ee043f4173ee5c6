// Streams of HTTP/2, a thousand on a socket, in a process of their own: more of them can be open
// than a process may have files.
import http2 from 'node:http2';
import { expose } from './rpc.mjs';

const PER_SOCKET = 1_000;
const MARK = '~'.charCodeAt(0);

let sessions = [];
let opened = 0;
let events = 0;
let waiter;

/** Resolves when the first bytes have come. */
function open(session, path) {
  return new Promise((resolve) => {
    const stream = session.request({ ':path': path, accept: 'text/event-stream' });
    stream.on('data', (chunk) => {
      resolve();
      for (let at = chunk.indexOf(MARK); at >= 0; at = chunk.indexOf(MARK, at + 1)) events++;
      if (waiter !== undefined && events >= waiter.target) waiter.resolve();
    });
    stream.on('error', () => {});
    stream.on('close', resolve);
  });
}

expose({
  /** Opens `count` streams, some at a time. */
  async open({ port, count, path = '/events' }) {
    while (opened < count) {
      const session = http2.connect(`http://127.0.0.1:${port}`);
      session.on('error', () => {});
      sessions.push(session);
      for (let n = 0; n < PER_SOCKET && opened < count; n += 100) {
        const some = Math.min(100, count - opened);
        await Promise.all(Array.from({ length: some }, () => open(session, path)));
        opened += some;
      }
    }
  },

  /** Waits until all together have got so many events, and answers how many they got. */
  async expect({ count, timeoutMs = 120_000 }) {
    if (events < count) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        waiter = { target: count, resolve: () => (clearTimeout(timer), resolve()) };
      });
      waiter = undefined;
    }
    const received = events;
    events = 0;
    return received;
  },

  /** All at once, as when a load balancer dies. */
  leave() {
    for (const session of sessions) session.destroy();
    sessions = [];
    opened = 0;
  },
});
