import 'reflect-metadata';
import {
  Injectable,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Worker, type Job } from 'bullmq';
import { Broadcaster, SseModule } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';

interface Import {
  pages: number;
}
interface ImportEvents {
  progress: { done: number; of: number };
}

const url = process.env['REDIS_URL'] ?? 'redis://localhost:6379';
const supplier = process.env['SUPPLIER_URL'] ?? 'https://shop.example';

@Injectable()
class ImportWorker implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(ImportWorker.name);
  private worker?: Worker<Import>;

  constructor(private readonly broadcaster: Broadcaster<ImportEvents>) {}

  onApplicationBootstrap() {
    const connection = { url };
    const worker = new Worker<Import>('imports', this.run, { connection });
    worker.on('failed', (_job, error) => this.logger.warn(error.message));
    worker.on('error', (error) => this.logger.error(error));
    this.worker = worker;
  }

  /** Waits for the current job, whose events the hub still publishes. */
  async onModuleDestroy() {
    await this.worker?.close();
  }

  private readonly run = async (job: Job<Import>) => {
    const room = `import ${job.id}`;
    for (let done = 1; done <= job.data.pages; done++) {
      const page = await fetch(`${supplier}/products?page=${done}`);
      if (!page.ok) throw new Error(`Page ${done}: ${page.status}`);
      // Here the app stores the products of this page.

      await job.updateProgress(done);
      const progress = { done, of: job.data.pages };
      const key = `${room} ${done}`;
      await this.broadcaster.to(room).emit('progress', progress, { key });
    }
  };
}

@Module({
  imports: [SseModule.forRoot({ log: redisEventLog({ url }) })],
  providers: [ImportWorker],
})
class WorkerModule {}

const app = await NestFactory.createApplicationContext(WorkerModule);
app.enableShutdownHooks();
