// Shows this machine live: `npm start`, then open the printed address.
// PORT chooses the port (3000), HOST the address to listen on (this machine only; 0.0.0.0: everywhere).
import type { AddressInfo } from 'node:net';
import type { LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { servePage } from './page.js';

const DEFAULT_PORT = 3000;
const { PORT, HOST } = process.env;
const LOG_LEVELS: LogLevel[] = ['warn', 'error'];

const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: LOG_LEVELS });
servePage(app);
// Ctrl-C ends the streams before it ends the process.
app.enableShutdownHooks();

try {
  await listen();
  const { port } = app.getHttpServer().address() as AddressInfo;
  const url = HOST === undefined ? `http://localhost:${port}` : await app.getUrl();
  console.log(`\n  Dashboard  ${url}\n`);
} catch (error) {
  if (!isPortTaken(error)) throw error;
  console.error(`Port ${PORT} is taken. Choose another one: PORT=${Number(PORT) + 1} npm start`);
  await app.close();
  process.exitCode = 1;
}

/** Where nobody asked for a port, any free one is better than none. */
async function listen(): Promise<void> {
  try {
    await tryToListen(PORT ?? DEFAULT_PORT);
  } catch (error) {
    if (PORT !== undefined || !isPortTaken(error)) throw error;
    console.log(`Port ${DEFAULT_PORT} is taken: here is a free one. PORT=... chooses it.`);
    await tryToListen(0);
  }
}

async function tryToListen(port: number | string): Promise<void> {
  // Nest would log a taken port as well, with its stack.
  app.useLogger(false);
  await app.listen(port, HOST ?? 'localhost').finally(() => app.useLogger(LOG_LEVELS));
}

function isPortTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
}
