import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { setHome } from '../shared/serve-folders.js';
import { servePage } from './page.js';

/**
 * One of the processes behind the port. The primary has chosen the port, and hands each connection
 * to one of them.
 */
export async function run(): Promise<void> {
  const { PORT = '', HOST = 'localhost', SAMPLES } = process.env;
  const app = await NestFactory.create<NestExpressApplication>(AppModule, {
    logger: ['warn', 'error'],
  });
  servePage(app);
  if (SAMPLES !== undefined) setHome(app, SAMPLES);
  app.enableShutdownHooks();
  await app.listen(PORT, HOST);
}
