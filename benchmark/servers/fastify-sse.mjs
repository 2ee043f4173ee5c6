// @fastify/sse: it has no channels, so each event is sent to each reply of a set.
import fastify from 'fastify';
import sse from '@fastify/sse';

export async function start({ keepAliveMs } = {}) {
  const app = fastify();
  await app.register(sse, keepAliveMs === undefined ? {} : { heartbeatInterval: keepAliveMs });
  const readers = new Set();
  let id = 0;

  app.get('/ping', () => 'pong');
  app.get('/events', { sse: true }, async (_request, reply) => {
    reply.sse.keepAlive();
    reply.sse.sendHeaders();
    reply.raw.flushHeaders();
    readers.add(reply.sse);
    reply.sse.onClose(() => readers.delete(reply.sse));
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return {
    port: app.server.address().port,
    publish(_room, data) {
      const message = { id: String(++id), event: 'n', data };
      for (const reader of readers) reader.send(message).catch(() => readers.delete(reader));
    },
  };
}
