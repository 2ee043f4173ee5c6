// Bun's event streams and its WebSockets: `bun bun.mjs sse|websocket`. Control on stdin and stdout,
// by line, as in floor.c.
import { createInterface } from 'node:readline';

const { Bun } = globalThis;
const address = { port: 0, hostname: '127.0.0.1', idleTimeout: 0 };

/** Each starts a server, and answers its port and what ends a turn. */
const servers = {
  /**
   * A stream of type `direct` does not copy. Bun's standard streams take 5 % more CPU than this,
   * its node:http 25 % more.
   */
  sse() {
    const readers = new Set();
    const stream = (request) =>
      new ReadableStream({
        type: 'direct',
        async pull(controller) {
          controller.write(': connected\n\n');
          controller.flush();
          readers.add(controller);
          await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
          readers.delete(controller);
        },
      });
    const headers = {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
    };
    const fetch = (request) => new Response(stream(request), { headers });
    const { port } = Bun.serve({ ...address, fetch });
    let id = 0;
    const end = (events) => {
      const text = events.map((data) => `event: n\nid: ${++id}\ndata: ${data}\n\n`).join('');
      const turn = Buffer.from(text);
      for (const reader of readers) {
        reader.write(turn);
        reader.flush();
      }
    };
    return { port, end };
  },

  /** A message for each event; Bun joins those of a turn by itself. */
  websocket() {
    const server = Bun.serve({
      ...address,
      fetch: (request, self) =>
        self.upgrade(request) ? undefined : new Response('', { status: 400 }),
      websocket: { open: (socket) => void socket.subscribe('all'), message() {} },
    });
    const end = (events) => {
      for (const data of events) server.publish('all', `{"event":"n","data":${data}}`);
    };
    return { port: server.port, end };
  },
};

const { port, end } = servers[process.argv[2]]();
console.log(port);
let events = [];
createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line === 'cpu') {
      const { user, system } = process.cpuUsage();
      console.log(user + system);
    } else if (line === '') {
      end(events);
      events = [];
    } else {
      events.push(line);
    }
  })
  .on('close', () => process.exit());
