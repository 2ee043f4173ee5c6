// A Nest app on Express or Fastify whose handler takes the response and writes to it: what Nest and
// the adapter cost before this library does anything. With `hasHistory` also the least that
// replays: the frames of each room are kept, and a client that returns gets those after its last
// event ID.
import 'reflect-metadata';
import { Controller, Get, Headers, Module, Query, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { decorate } from './decorate.mjs';

export async function start({ isFastify, hasHistory = false } = {}) {
  const readers = new Set();
  let pending = '';
  let id = 0;
  const history = new Map();

  const missed = (room, lastId) => {
    const kept = history.get(room) ?? [];
    return kept
      .filter((each) => each.id > lastId)
      .map(({ frame }) => frame)
      .join('');
  };

  const flush = () => {
    const buffer = Buffer.from(pending);
    pending = '';
    for (const response of readers) response.write(buffer);
  };

  class EventsController {
    events(room, lastId, response) {
      // With Fastify, Nest passes a reply.
      response.hijack?.();
      const raw = response.raw ?? response;
      raw.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-cache, no-transform',
      });
      raw.write(': connected\n\n');
      if (hasHistory && lastId !== undefined) raw.write(missed(room, Number(lastId)));
      readers.add(raw);
      raw.on('close', () => readers.delete(raw));
    }
    ping() {
      return 'pong';
    }
  }
  decorate(
    EventsController,
    'events',
    [Get('events')],
    [Query('room'), Headers('last-event-id'), Res()],
  );
  decorate(EventsController, 'ping', [Get('ping')]);
  Controller()(EventsController);

  class AppModule {}
  Module({ controllers: [EventsController] })(AppModule);

  const adapter = isFastify ? [new FastifyAdapter()] : [];
  const app = await NestFactory.create(AppModule, ...adapter, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  return {
    port: app.getHttpServer().address().port,
    publish(room, data) {
      const frame = `event: n\nid: ${++id}\ndata: ${JSON.stringify(data)}\n\n`;
      if (hasHistory) history.set(room, [...(history.get(room) ?? []), { id, frame }]);
      // To all, whatever their room.
      if (pending === '') setImmediate(flush);
      pending += frame;
    },
    position: () => String(id),
  };
}
