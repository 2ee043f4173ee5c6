// A whole process whose handlers publish what clients send and await nothing: prints its port.
import 'reflect-metadata';
import { Body, Controller, Get, Module, Param, Post, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { hubOf } from '../../../lib/hub/hub.js';
import { Broadcaster, SseConnections, SseModule } from 'nestjs-eventstream';
import type { AddressInfo } from 'node:net';

@Controller()
class Rooms {
  constructor(
    private readonly hub: Broadcaster,
    private readonly connections: SseConnections,
  ) {}

  @Get('alive') alive() {
    return 'yes';
  }
  @Post('rooms/:room') send(@Param('room') room: string, @Body() body: { text?: string }) {
    void this.hub.to(room).emit('said', body);
  }
  @Post('any') any(@Body() { rooms, ...message }: { rooms: string[] }) {
    void this.hub.publish(rooms, message);
  }
  @Post('cycle') cycle() {
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    void this.hub.to('a').emit('said', cyclic);
  }
  @Post('throws') throws() {
    const data = {
      toJSON() {
        throw Object.create(null);
      },
    };
    void this.hub.to('a').emit('said', data);
  }
  @Post('nothing') nothing(@Body() { rooms, message }: { rooms: []; message: object }) {
    void this.hub.publish(rooms, message, null as never);
  }
  @Post('revoke') revoke(@Query() facts: Record<string, string>) {
    void this.connections.revokeEverywhere(facts);
  }
  @Post('close') async close() {
    // As after the app has shut down, while a request is still being answered.
    await hubOf(this.hub).close();
  }
}

@Module({ imports: [SseModule.forRoot()], controllers: [Rooms] })
class App {}

const app = await NestFactory.create<NestExpressApplication>(App, { logger: ['warn', 'error'] });
app.useBodyParser('json', { limit: '10mb' });
await app.listen(0, '127.0.0.1');
console.log((app.getHttpServer().address() as AddressInfo).port);
