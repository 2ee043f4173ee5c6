// A Nest gateway on `ws`, as its manual has it: an event is encoded once and sent to each of
// `server.clients`. No ids, no history, no pings, no look at `bufferedAmount`; `permessage-deflate`
// is off, as it is in `ws` unless asked for.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import { WebSocket } from 'ws';

/**
 * With `isJoined`, what is published in a turn is one message, an array: what one would write by
 * hand to save writes.
 */
export async function start({ isJoined = false } = {}) {
  class EventsGateway {
    send(message) {
      const text = Buffer.from(JSON.stringify(message));
      for (const client of this.server.clients) {
        if (client.readyState === WebSocket.OPEN) client.send(text, { binary: false });
      }
    }
  }
  WebSocketServer()(EventsGateway.prototype, 'server');
  WebSocketGateway({ path: '/events', perMessageDeflate: false })(EventsGateway);

  class AppModule {}
  Module({ providers: [EventsGateway] })(AppModule);

  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  app.useWebSocketAdapter(new WsAdapter(app));
  await app.listen(0, '127.0.0.1');
  const gateway = app.get(EventsGateway);

  let pending = [];
  const flush = () => {
    gateway.send(pending);
    pending = [];
  };
  return {
    port: app.getHttpServer().address().port,
    publish(_room, data) {
      if (!isJoined) return gateway.send({ event: 'n', data });
      if (pending.length === 0) setImmediate(flush);
      pending.push({ event: 'n', data });
    },
  };
}
