// A Nest app on Express or Fastify whose handler takes the response and writes to it: what Nest and
// the adapter cost before this library does anything.
import 'reflect-metadata';
import { Controller, Get, Module, Query, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { decorate } from './decorate.mjs';

export async function start({ isFastify } = {}) {
  const readers = new Set();
  let pending = '';
  let id = 0;

  const flush = () => {
    const buffer = Buffer.from(pending);
    pending = '';
    for (const response of readers) response.write(buffer);
  };

  class EventsController {
    events(_room, response) {
      // With Fastify, Nest passes a reply.
      response.hijack?.();
      const raw = response.raw ?? response;
      raw.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-cache, no-transform',
      });
      raw.write(': connected\n\n');
      readers.add(raw);
      raw.on('close', () => readers.delete(raw));
    }
    ping() {
      return 'pong';
    }
  }
  decorate(EventsController, 'events', [Get('events')], [Query('room'), Res()]);
  decorate(EventsController, 'ping', [Get('ping')]);
  Controller()(EventsController);

  class AppModule {}
  Module({ controllers: [EventsController] })(AppModule);

  const adapter = isFastify ? [new FastifyAdapter()] : [];
  const app = await NestFactory.create(AppModule, ...adapter, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  return {
    port: app.getHttpServer().address().port,
    publish(_room, data) {
      if (pending === '') setImmediate(flush);
      pending += `event: n\nid: ${++id}\ndata: ${JSON.stringify(data)}\n\n`;
    },
  };
}
