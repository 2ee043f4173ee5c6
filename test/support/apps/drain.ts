// A whole process for the test of shutdown: prints its port; SIGTERM ends it. TIMEOUT_MS is
// `shutdown.timeoutMs`.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Broadcaster, SseModule, SseStream } from 'nestjs-eventstream';
import type { AddressInfo } from 'node:net';

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('events') events() {
    return this.hub.stream('room');
  }
}

@Module({
  imports: [SseModule.forRoot({ shutdown: { timeoutMs: Number(process.env['TIMEOUT_MS']) } })],
  controllers: [Streams],
})
class App {}

const app = await NestFactory.create(App, { logger: ['error'] });
app.enableShutdownHooks(['SIGTERM'], { useProcessExit: true });
await app.listen(0, '127.0.0.1');
console.log((app.getHttpServer().address() as AddressInfo).port);
