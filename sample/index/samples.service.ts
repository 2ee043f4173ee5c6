import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SseConnections } from 'nestjs-eventstream';
import { setHome } from '../shared/serve-folders.js';
import { createApp, listen, portOf } from '../shared/start.js';
import { ClusterProcess } from './cluster-process.js';
import { findSamples, loadSample, type FoundSample } from './find-samples.js';

const MAX_PORT = 65_535;

interface RunningSample extends FoundSample {
  readonly app: NestExpressApplication;
  readonly figure?: (app: NestExpressApplication) => string;
}

/**
 * Runs every sample in this process, as an app of its own: they share nothing. The cluster has its
 * own processes.
 */
@Injectable()
export class SamplesService implements OnModuleDestroy {
  private readonly logger = new Logger(SamplesService.name);
  private readonly running: RunningSample[] = [];
  private readonly cluster = new ClusterProcess();

  /**
   * Number 5 listens on `base` + 5, or where that is taken on any port. Resolves when all listen
   * that can; the cluster may come later.
   */
  async start(base: number, home: string): Promise<void> {
    for (const sample of findSamples()) {
      try {
        this.running.push(await startSample(sample, base + sample.number, home));
      } catch (error) {
        this.logger.error(`${sample.name} does not start`, error);
      }
    }
    if (!ClusterProcess.canRun) return;
    this.cluster
      .start(base + 3, home)
      .catch((error: unknown) => this.logger.error('03-cluster does not start', error));
  }

  find(name: string): NestExpressApplication | undefined {
    return this.running.find((sample) => sample.name === name)?.app;
  }

  /** What the page shows. */
  list() {
    const samples = this.running.map(({ app, figure, ...sample }) => ({
      ...sample,
      port: portOf(app),
      streams: app.get(SseConnections, { strict: false }).count,
      ...(figure && { figure: figure(app) }),
    }));
    const { port } = this.cluster;
    return { samples, cluster: { canRun: ClusterProcess.canRun, ...(port && { port }) } };
  }

  /** They have no shutdown hooks of their own: this app has, and ends them with itself. */
  async onModuleDestroy(): Promise<void> {
    await Promise.all([this.cluster.stop(), ...this.running.map(({ app }) => app.close())]);
  }
}

async function startSample(
  sample: FoundSample,
  port: number,
  home: string,
): Promise<RunningSample> {
  const { module, setup, figure } = await loadSample(sample.name);
  const app = await createApp(module, setup);
  setHome(app, home);
  await listen(app, port > MAX_PORT ? 0 : port);
  return { ...sample, app, ...(figure && { figure }) };
}
