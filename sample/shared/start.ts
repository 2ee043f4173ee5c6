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
 * Serves a sample and prints its address. PORT chooses the port (3000), HOST the address to listen
 * on (this machine only; 0.0.0.0: everywhere). Resolves with nothing where the port that was asked
 * for is taken, which it says.
 */
export async function start({
  title,
  command,
  module,
  setup,
}: Sample): Promise<NestExpressApplication | undefined> {
  const { PORT } = process.env;
  const app = await createApp(module, setup);
  // Ctrl-C ends the streams before it ends the process.
  app.enableShutdownHooks();

  try {
    if (PORT !== undefined) await tryToListen(app, Number(PORT));
    else if (await listen(app, DEFAULT_PORT)) console.log(FREE_ONE);
    console.log(`\n  ${title}  ${await urlOf(app)}\n`);
    return app;
  } catch (error) {
    if (!isPortTaken(error)) throw error;
    console.error(takenMessage(PORT ?? '', command));
    await app.close();
    process.exitCode = 1;
    return undefined;
  }
}

/** One that does not listen yet. */
export async function createApp(
  module: Type,
  setup: Sample['setup'],
): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(module, {
    logger: LOG_LEVELS,
    // Browsers open sockets in advance, which would hold up Ctrl-C.
    forceCloseConnections: true,
  });
  setup(app);
  return app;
}

/**
 * Where nobody asked for this port, any free one is better than none. Answers whether it is another
 * one.
 */
export async function listen(app: NestExpressApplication, port: number): Promise<boolean> {
  try {
    await tryToListen(app, port);
    return false;
  } catch (error) {
    if (!isPortTaken(error)) throw error;
    await tryToListen(app, 0);
    return true;
  }
}

export function portOf(app: NestExpressApplication): number {
  return (app.getHttpServer().address() as AddressInfo).port;
}

/** As a person would open it. */
export async function urlOf(app: NestExpressApplication): Promise<string> {
  return process.env['HOST'] === undefined ? `http://localhost:${portOf(app)}` : app.getUrl();
}

async function tryToListen(app: NestExpressApplication, port: number): Promise<void> {
  // Nest would log a taken port as well, with its stack.
  app.useLogger(false);
  await app
    .listen(port, process.env['HOST'] ?? 'localhost')
    .finally(() => app.useLogger(LOG_LEVELS));
}
