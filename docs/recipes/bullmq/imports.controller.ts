import {
  Body,
  Controller,
  Logger,
  Param,
  ParseIntPipe,
  Post,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Queue, QueueEvents } from 'bullmq';
import { SseStream } from 'nestjs-eventstream';
import { jobRuns } from 'nestjs-eventstream/bullmq';

interface Import {
  pages: number;
}

const url = process.env['REDIS_URL'] ?? 'redis://localhost:6379';
const connection = { url };

@Controller('imports')
export class ImportsController implements OnModuleDestroy {
  private readonly logger = new Logger(ImportsController.name);
  private readonly queue = new Queue<Import>('imports', { connection });
  private readonly queueEvents = new QueueEvents('imports', { connection });
  private readonly jobs = jobRuns(this.queue, this.queueEvents);

  constructor() {
    this.queue.on('error', (error) => this.logger.error(error));
    this.queueEvents.on('error', (error) => this.logger.error(error));
  }

  @Post()
  async start(@Body('pages', ParseIntPipe) pages: number) {
    const id = crypto.randomUUID();
    await this.queue.add(
      'import',
      { pages },
      {
        jobId: id,
        attempts: 3,
        backoff: { type: 'exponential', delay: 1_000 },
        removeOnComplete: { age: 3_600 },
        removeOnFail: { age: 3_600 },
      },
    );
    return { id };
  }

  @SseStream(':id/events', { onComplete: 'close' })
  events(@Param('id') id: string) {
    return this.jobs.follow(id, { none: 404 });
  }

  @Post(':id/stop')
  stop(@Param('id') id: string) {
    return this.jobs.stop(id);
  }

  async onModuleDestroy() {
    this.jobs.close();
    await Promise.all([this.queue.close(), this.queueEvents.close()]);
  }
}
