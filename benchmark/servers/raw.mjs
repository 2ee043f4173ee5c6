// node:http and nothing else: an event is encoded once, what is published in a turn is joined into
// one shared buffer, and each response is written that buffer. The least that Node can do through
// its public API; it has none of the features.
import http from 'node:http';
import { listen } from './listen.mjs';

/**
 * With `isFramed`, below the public API: the chunk of HTTP is made once too and goes straight to
 * the socket.
 */
export async function start({ isFramed = false, replay = 0, maxReaders = Infinity } = {}) {
  const readers = new Set();
  let pending = '';
  let id = 0;

  const frame = (data) => `event: n\nid: ${++id}\ndata: ${JSON.stringify(data)}\n\n`;
  const flush = () => {
    const body = isFramed ? `${pending.length.toString(16)}\r\n${pending}\r\n` : pending;
    const buffer = Buffer.from(body);
    pending = '';
    if (isFramed) for (const response of readers) response.socket.write(buffer);
    else for (const response of readers) response.write(buffer);
  };
  const missed = Buffer.from(
    Array.from({ length: replay }, (_, n) => frame({ n, note: `~${'x'.repeat(85)}` })).join(''),
  );

  const server = http.createServer((request, response) => {
    if (request.url === '/ping') {
      response.end('pong');
      return;
    }
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
    });
    if (readers.size >= maxReaders) {
      response.end('retry: 3000\n\n');
      return;
    }
    response.write(': connected\n\n');
    if (replay > 0) response.write(missed);
    readers.add(response);
    response.on('close', () => readers.delete(response));
  });
  return {
    port: await listen(server),
    publish(_room, data) {
      if (pending === '') setImmediate(flush);
      pending += frame(data);
    },
    open: () => readers.size,
  };
}
