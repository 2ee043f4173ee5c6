// better-sse on node:http: a session for each request, a channel for each room.
import http from 'node:http';
import { createChannel, createSession } from 'better-sse';
import { listen } from './listen.mjs';

export async function start({ keepAliveMs } = {}) {
  const rooms = new Map();
  const channel = (room) => {
    if (!rooms.has(room)) rooms.set(room, createChannel());
    return rooms.get(room);
  };
  let id = 0;

  const open = async (request, response) => {
    const { searchParams } = new URL(request.url, 'http://127.0.0.1');
    const session = await createSession(request, response, { keepAlive: keepAliveMs });
    channel(searchParams.get('room') ?? 'all').register(session);
  };
  const server = http.createServer((request, response) => {
    if (request.url === '/ping') response.end('pong');
    else void open(request, response);
  });
  return {
    port: await listen(server),
    publish: (room, data) => channel(room).broadcast(data, 'n', { eventId: String(++id) }),
  };
}
