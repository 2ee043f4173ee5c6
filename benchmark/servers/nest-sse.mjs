// Nest's own `@Sse()` on Express, over a Subject for each room.
import 'reflect-metadata';
import { Controller, Get, Module, Query, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Subject } from 'rxjs';
import { decorate } from './decorate.mjs';

export async function start() {
  const rooms = new Map();
  const subject = (room) => {
    if (!rooms.has(room)) rooms.set(room, new Subject());
    return rooms.get(room);
  };
  let id = 0;

  class EventsController {
    events(room = 'all') {
      return subject(room);
    }
    ping() {
      return 'pong';
    }
  }
  decorate(EventsController, 'events', [Sse('events')], [Query('room')]);
  decorate(EventsController, 'ping', [Get('ping')]);
  Controller()(EventsController);

  class AppModule {}
  Module({ controllers: [EventsController] })(AppModule);

  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  return {
    port: app.getHttpServer().address().port,
    publish: (room, data) => subject(room).next({ type: 'n', id: String(++id), data }),
  };
}
