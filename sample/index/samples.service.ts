import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SseConnections } from 'nestjs-eventstream';
import { createApp, listen, portOf } from '../shared/start.js';
import { findSamples, loadSample, type FoundSample } from './find-samples.js';

const MAX_PORT = 65_535;

interface RunningSample extends FoundSample {
  app: NestExpressApplication;
}

/**
 * Runs every sample in this process, as an app of its own: what is in one of them is in no other.
 */
@Injectable()
export class SamplesService implements OnModuleDestroy {
  private readonly logger = new Logger(SamplesService.name);
  private readonly running: RunningSample[] = [];

  /**
   * Number 5 listens on `base` + 5, or where that is taken on any port. Resolves when all listen
   * that can.
   */
  async start(base: number): Promise<void> {
    for (const sample of findSamples()) {
      try {
        this.running.push({ ...sample, app: await startSample(sample, base + sample.number) });
      } catch (error) {
        this.logger.error(`${sample.name} does not start`, error);
      }
    }
  }

  find(name: string): NestExpressApplication | undefined {
    return this.running.find((sample) => sample.name === name)?.app;
  }

  /** What the page shows. */
  list() {
    return this.running.map(({ app, ...sample }) => ({
      ...sample,
      port: portOf(app),
      streams: app.get(SseConnections, { strict: false }).count,
    }));
  }

  /** They have no shutdown hooks of their own: this app has, and ends them with itself. */
  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.running.map(({ app }) => app.close()));
  }
}

async function startSample(sample: FoundSample, port: number): Promise<NestExpressApplication> {
  const { module, setup } = await loadSample(sample.name);
  const app = await createApp(module, setup);
  await listen(app, port > MAX_PORT ? 0 : port);
  return app;
}
