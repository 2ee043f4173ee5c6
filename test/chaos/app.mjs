// The app under test: a small Nest app as a user would write it. It publishes what it is asked to,
// and has one stream of any rooms. It tells its parent when it listens, and ends with it.
import 'reflect-metadata';
import { Body, Controller, HttpException, Inject, Module, Post, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Broadcaster, SseModule, SseStream } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';

/** Told apart from an uncaught exception: without its Redis an app may refuse to start. */
const REFUSED_TO_START = 3;
const { PORT, REDIS_URL } = process.env;

class ChaosController {
  constructor(broadcaster) {
    this.broadcaster = broadcaster;
  }

  /** `rooms`: names with commas between them. `wide`: the first and the last of numbered rooms. */
  events(rooms, wide) {
    if (wide === undefined) return this.broadcaster.stream(rooms.split(','));
    const [first, last] = wide.split('-').map(Number);
    const names = Array.from({ length: last - first + 1 }, (_none, n) => `w${first + n}`);
    return this.broadcaster.stream(names);
  }

  async publish({ uid, rooms, size, type, key, ephemeral }) {
    const data = { uid, pad: String(uid % 10).repeat(size) };
    const options = { ...(key && { key }), ...(ephemeral && { ephemeral }) };
    try {
      return { cursor: await this.broadcaster.to(...rooms).emit(type, data, options) };
    } catch (error) {
      throw new HttpException(String(error), 503);
    }
  }
}
decorate('events', SseStream('events'), [Query('rooms'), Query('wide')]);
decorate('publish', Post('publish'), [Body()]);
Inject(Broadcaster)(ChaosController, undefined, 0);
Controller()(ChaosController);

class AppModule {}
Module({
  imports: [
    SseModule.forRoot({
      ...(REDIS_URL && { log: redisEventLog({ url: REDIS_URL, probeIntervalMs: 1_000 }) }),
      // So that clients find out soon that a connection is half-open.
      keepAlive: { intervalMs: 1_000 },
    }),
  ],
  controllers: [ChaosController],
})(AppModule);

process.on('disconnect', () => process.exit(0));

try {
  const app = await NestFactory.create(AppModule, { logger: ['error'], abortOnError: false });
  await app.listen(Number(PORT), '127.0.0.1');
} catch (error) {
  console.error(String(error));
  process.exit(REFUSED_TO_START);
}
process.send('listening');

function decorate(method, decorator, parameters) {
  const { prototype } = ChaosController;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, method);
  parameters.forEach((parameter, index) => parameter(prototype, method, index));
  decorator(prototype, method, descriptor);
  Object.defineProperty(prototype, method, descriptor);
}
