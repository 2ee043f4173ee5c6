import { expect, it } from '@jest/globals';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseModule, SseStream } from 'nestjs-eventstream';
import { of } from 'rxjs';

@Controller()
class Ticks {
  @SseStream() ticks() {
    return of(1);
  }
}

@Module({ controllers: [Ticks] })
class TicksModule {}

@Module({ imports: [SseModule.forRoot({ isGlobal: false })] })
class ElsewhereModule {}

@Module({ imports: [SseModule.forRoot()] })
class GlobalModule {}

it.each([
  ['there is no SseModule', [TicksModule]],
  ['the SseModule of another module is not global', [ElsewhereModule, TicksModule]],
])('an app does not start where %s, and is told what to import', async (_title, imports) => {
  class AppModule {}
  Module({ imports })(AppModule);
  const starting = NestFactory.create(AppModule, { logger: false, abortOnError: false });
  await expect(starting).rejects.toMatchObject({
    code: 'SSE_OPTIONS',
    message: expect.stringContaining('import SseModule.forRoot() in the root module'),
  });
});

it('an app that imports SseModule itself is told to import forRoot()', async () => {
  class AppModule {}
  Module({ imports: [SseModule, TicksModule] })(AppModule);
  const starting = NestFactory.create(AppModule, { logger: false, abortOnError: false });
  await expect(starting).rejects.toMatchObject({
    code: 'SSE_OPTIONS',
    message: expect.stringMatching(/^imports: expected SseModule\.forRoot\(\) or forRootAsync\(\)/),
  });
});

it('an app starts where the module is imported after the controller', async () => {
  class AppModule {}
  Module({ imports: [TicksModule, GlobalModule] })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  await expect(app.init()).resolves.toBe(app);
  await app.close();
});
