// An app that publishes large events to one reader that reads well, in a process of its own:
// `node --import ../typescript.mjs large-events.ts COUNT BYTES`.
// It tells its port, and what it holds when all are with the reader.
import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Broadcaster, SseConnections, SseModule, SseStream } from 'nestjs-eventstream';

const [count = 0, bytes = 0] = process.argv.slice(2).map(Number);

@Controller()
class Streams {
  constructor(private readonly broadcaster: Broadcaster) {}

  @SseStream('events') events() {
    return this.broadcaster.stream('a');
  }
}

@Module({ imports: [SseModule.forRoot()], controllers: [Streams] })
class App {}

const app = await NestFactory.create(App, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
console.log(`port ${(app.getHttpServer().address() as AddressInfo).port}`);
const broadcaster = app.get(Broadcaster);
const connections = app.get(SseConnections);
while (broadcaster.size('a') === 0) await turn();
for (let n = 0; n < count; n++) {
  await broadcaster.to('a').emit('n', Buffer.alloc(bytes, 'x').toString());
  // It reads as fast as it can, and is not asked to read faster.
  do await turn();
  while (connections.list().some(({ bufferedBytes }) => bufferedBytes > 0));
}
console.log(`published ${count}, resident ${process.memoryUsage.rss()}`);
