import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { AddressInfo } from 'node:net';
import { NEVER } from 'rxjs';
import { SseModule, SseStream } from 'nestjs-eventstream';

/** An app to be killed. It tells the process that has forked it where it listens. */
@Controller()
class Streams {
  @SseStream('quiet') quiet() {
    return NEVER;
  }
}

@Module({ imports: [SseModule.forRoot()], controllers: [Streams] })
class AppModule {}

const app = await NestFactory.create(AppModule, new ExpressAdapter(), { logger: false });
await app.listen(0, '127.0.0.1');
process.send?.((app.getHttpServer().address() as AddressInfo).port);
// Not to outlive a test run that was killed itself.
process.on('disconnect', () => process.exit());
