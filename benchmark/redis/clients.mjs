// Clients that know which events they got: each by its number, and when the last of them got it.
import net from 'node:net';
import { expose } from '../rpc.mjs';

const now = () => performance.timeOrigin + performance.now();

const clients = [];
/** Of each event: how many got it, and when the last one did. */
const counts = [];
const lastAt = [];
let doubled = 0;
let gaps = 0;
let disconnected = 0;

function open(port, path) {
  return new Promise((resolve) => {
    const seen = new Set();
    let rest = '';
    const socket = net.connect(port, '127.0.0.1');
    clients.push(socket);
    socket.setNoDelay(true).setEncoding('latin1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`);
    socket.on('error', () => {});
    socket.on('close', () => disconnected++);
    socket.once('data', resolve);
    socket.on('data', (chunk) => {
      const at = now();
      const text = rest + chunk;
      const end = text.lastIndexOf('\n\n') + 2;
      rest = end > 1 ? text.slice(end) : text;
      const whole = end > 1 ? text.slice(0, end) : '';
      for (const [, digits] of whole.matchAll(/"n":(\d+)/g)) {
        const n = Number(digits);
        if (seen.has(n)) doubled++;
        seen.add(n);
        counts[n] = (counts[n] ?? 0) + 1;
        lastAt[n] = at;
      }
      if (whole.includes('event: sse-gap')) gaps++;
    });
  });
}

expose({
  async open({ port, count, paths }) {
    for (let n = 0; n < count; n += 100) {
      const some = Array.from({ length: Math.min(100, count - n) }, (_, m) => n + m);
      await Promise.all(some.map((each) => open(port, paths[each % paths.length])));
    }
  },

  /**
   * Waits until each of so many events has come to as many clients as it should, and says when the
   * last of each came.
   */
  async expect({ events, each, timeoutMs }) {
    const until = now() + timeoutMs;
    const complete = () => {
      for (let n = 0; n < events; n++) if ((counts[n] ?? 0) < each) return false;
      return true;
    };
    while (!complete() && now() < until) await new Promise((go) => setTimeout(go, 10));
    const received = Array.from({ length: events }, (_, n) => counts[n] ?? 0);
    return { received, lastAt, doubled, gaps, disconnected };
  },
});
