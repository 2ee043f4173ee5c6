// This library in a Nest app on Express or Fastify, with the module's defaults: ids, history,
// keep-alive, backpressure.
import 'reflect-metadata';
import { Controller, Get, Inject, Module, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import compression from 'compression';
import { Broadcaster, SseConnections, SseModule, SseStream } from 'nestjs-eventstream';
import { SsePrometheusModule } from 'nestjs-eventstream/prometheus';
import { sseContract } from 'nestjs-eventstream/contract';
import { z } from 'zod';
import { decorate } from './decorate.mjs';

const EVENT = z.object({ n: z.number(), note: z.string() });

export async function start({
  isFastify,
  isFiltered,
  hasMetrics,
  isHttp2,
  hasContract,
  hasMiddleware,
  isChangeable,
  module = {},
} = {}) {
  const contract = hasContract ? sseContract({ path: 'events', events: { n: EVENT } }) : undefined;
  class EventsController {
    constructor(broadcaster) {
      this.broadcaster = broadcaster;
    }
    events(room) {
      const rooms = room === undefined ? 'all' : room.split(',');
      // A function of its own for each connection, as one that looks at the user's rights would be.
      const filter = isFiltered ? (event) => event.data.n >= 0 : undefined;
      return this.broadcaster.stream(rooms, { filter, changeable: isChangeable });
    }
    ping() {
      return 'pong';
    }
  }
  Inject(Broadcaster)(EventsController, undefined, 0);
  decorate(EventsController, 'events', [SseStream(contract ?? 'events')], [Query('room')]);
  decorate(EventsController, 'ping', [Get('ping')]);
  Controller()(EventsController);

  class AppModule {}
  const imports = [SseModule.forRoot({ ...module, contract })];
  if (hasMetrics) imports.push(SsePrometheusModule.forRoot());
  Module({ imports, controllers: [EventsController] })(AppModule);

  // Express has no HTTP/2.
  const options = isHttp2 ? { http2: true } : {};
  const adapter = isFastify || isHttp2 ? [new FastifyAdapter(options)] : [];
  const app = await NestFactory.create(AppModule, ...adapter, { logger: ['error', 'warn'] });
  if (hasMiddleware) app.use(compression());
  await app.listen(0, '127.0.0.1');
  const broadcaster = app.get(Broadcaster);
  const connections = app.get(SseConnections);
  /** The first that ended; a list of all would be what `churn` measures. */
  const ends = [];
  connections.closed$.subscribe(({ reason }) => {
    if (ends.length < 10) ends.push({ reason, at: performance.timeOrigin + performance.now() });
  });

  return {
    port: app.getHttpServer().address().port,
    publish: (room, data) => void broadcaster.to(room).emit('n', data),
    position: () => broadcaster.position(),
    /**
     * Milliseconds that single calls of `emit()` keep the thread; between them is a turn, as
     * between requests.
     */
    async emitTimes(room, count, bytes) {
      const times = [];
      for (let n = 0; n < count; n++) {
        const before = performance.now();
        const published = broadcaster.to(room).emit('n', { n, note: 'x'.repeat(bytes) });
        times.push(performance.now() - before);
        await published;
        await new Promise(setImmediate);
      }
      return times;
    },
    /** Each when the ones before it are with all readers. */
    async publishAsRead(room, count, bytes) {
      for (let n = 0; n < count; n++) {
        await broadcaster.to(room).emit('n', Buffer.alloc(bytes, 'x').toString());
        do await new Promise(setImmediate);
        while (connections.list().some(({ bufferedBytes }) => bufferedBytes > 0));
      }
    },
    rest: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    open: () => connections.count,
    buffered: () => Math.max(0, ...connections.list().map((each) => each.bufferedBytes)),
    ends: () => ends,
  };
}
