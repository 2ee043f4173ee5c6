// A wire between two programs that can be cut, slowed, and made to swallow what is sent.
import { once } from 'node:events';
import net from 'node:net';

/**
 * Beyond it the sender waits, so that a slow reader is slow for the one behind the proxy as well.
 */
const MAX_HELD_BYTES = 65_536;

export class TcpProxy {
  /** Each way, in milliseconds. */
  delayMs = 0;
  /** Which ways carry bytes: those of a way that does not are swallowed. */
  carries = { up: true, down: true };
  #isTruncating = false;
  #links = new Set();
  #server;

  /** `target` answers the port to connect to, each time again. */
  constructor(target) {
    this.target = target;
  }

  async listen(port = 0) {
    this.#server = net.createServer((near) => this.#accept(near));
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
    return this;
  }

  cut() {
    for (const link of this.#links) link.end();
  }

  /** The next bytes from the target come by half, then the connection is gone. */
  truncate() {
    this.#isTruncating = true;
  }

  /** All well again. Connections that lost bytes cannot go on: TCP would have told them. */
  heal() {
    this.delayMs = 0;
    this.carries = { up: true, down: true };
    this.#isTruncating = false;
    for (const link of this.#links) if (link.hasSwallowed) link.end();
  }

  async close() {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(near) {
    const far = net.connect(this.target(), '127.0.0.1');
    const link = {
      hasSwallowed: false,
      end: () => {
        near.destroy();
        far.destroy();
        this.#links.delete(link);
      },
    };
    this.#links.add(link);
    this.#pipe(link, near, far, 'up');
    this.#pipe(link, far, near, 'down');
  }

  #pipe(link, from, to, way) {
    const queue = [];
    let [held, dueAt, timer] = [0, 0, undefined];
    let isCut = false;
    const pump = () => {
      timer = undefined;
      while (queue.length > 0 && queue[0].dueAt <= performance.now()) {
        const { chunk } = queue.shift();
        held -= chunk.length;
        if (!to.destroyed) to.write(chunk, isCut && queue.length === 0 ? link.end : undefined);
      }
      if (queue.length > 0) timer = setTimeout(pump, queue[0].dueAt - performance.now() + 1);
      const isFull = held + to.writableLength >= MAX_HELD_BYTES;
      if (isFull) from.pause();
      else from.resume();
    };
    to.on('drain', pump);
    from.setNoDelay(true).on('error', () => {});
    from.on('data', (chunk) => {
      if (!this.carries[way]) {
        link.hasSwallowed = true;
        return;
      }
      // Nothing comes behind half a chunk: TCP leaves no holes.
      if (isCut) return;
      isCut = way === 'down' && this.#isTruncating;
      if (isCut) this.#isTruncating = false;
      // Never before what was sent before, also when the delay has become shorter.
      dueAt = Math.max(dueAt, performance.now() + this.delayMs);
      held += chunk.length;
      queue.push({ chunk: isCut ? chunk.subarray(0, chunk.length >> 1) : chunk, dueAt });
      if (timer === undefined) pump();
    });
    // What is on its way still arrives.
    from.on('close', () =>
      setTimeout(() => link.end(), Math.max(0, dueAt - performance.now()) + 1),
    );
  }
}
