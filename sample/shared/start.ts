import type { AddressInfo } from 'node:net';
import type { LogLevel, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DEFAULT_PORT, FREE_ONE, isPortTaken, takenMessage } from './port.js';

const LOG_LEVELS: LogLevel[] = ['warn', 'error'];

export interface Sample {
  title: string;
  /** What starts it, for the hint where its port is taken. */
  command: string;
  module: Type;
  /** Before it listens. */
  setup: (app: NestExpressApplication) => void;
}

/**
 * Serves a sample and prints its address. PORT chooses the port (3000), HOST the address to listen on (this machine only;
 * 0.0.0.0: everywhere).
 */
export async function start({ title, command, module, setup }: Sample): Promise<void> {
  const { PORT, HOST } = process.env;
  const app = await NestFactory.create<NestExpressApplication>(module, {
    logger: LOG_LEVELS,
    // Browsers open sockets in advance, which would hold up Ctrl-C.
    forceCloseConnections: true,
  });
  setup(app);
  // Ctrl-C ends the streams before it ends the process.
  app.enableShutdownHooks();

  try {
    await listen(app);
    const { port } = app.getHttpServer().address() as AddressInfo;
    const url = HOST === undefined ? `http://localhost:${port}` : await app.getUrl();
    console.log(`\n  ${title}  ${url}\n`);
  } catch (error) {
    if (!isPortTaken(error)) throw error;
    console.error(takenMessage(PORT ?? '', command));
    await app.close();
    process.exitCode = 1;
  }
}

/** Where nobody asked for a port, any free one is better than none. */
async function listen(app: NestExpressApplication): Promise<void> {
  const { PORT } = process.env;
  try {
    await tryToListen(app, PORT ?? DEFAULT_PORT);
  } catch (error) {
    if (PORT !== undefined || !isPortTaken(error)) throw error;
    console.log(FREE_ONE);
    await tryToListen(app, 0);
  }
}

async function tryToListen(app: NestExpressApplication, port: number | string): Promise<void> {
  // Nest would log a taken port as well, with its stack.
  app.useLogger(false);
  await app
    .listen(port, process.env['HOST'] ?? 'localhost')
    .finally(() => app.useLogger(LOG_LEVELS));
}
