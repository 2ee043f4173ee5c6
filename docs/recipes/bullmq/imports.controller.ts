import {
  Body,
  Controller,
  Logger,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Queue, QueueEvents } from 'bullmq';
import { Broadcaster, SseStream, type SseMessage } from 'nestjs-eventstream';
import { from } from 'rxjs';

interface Import {
  pages: number;
}
interface ImportEvents {
  progress: { done: number; of: number };
  end: { state: State };
}

type State = 'completed' | 'failed';

const url = process.env['REDIS_URL'] ?? 'redis://localhost:6379';
const connection = { url };
const roomOf = (id: string) => `import ${id}`;

@Controller('imports')
export class ImportsController implements OnModuleDestroy {
  private readonly logger = new Logger(ImportsController.name);
  private readonly queue = new Queue<Import>('imports', { connection });
  private readonly jobs = new QueueEvents('imports', {
    connection,
    // Reads the last minute again, for jobs that ended during a restart.
    lastEventId: `${Date.now() - 60_000}-0`,
  });

  constructor(private readonly broadcaster: Broadcaster<ImportEvents>) {
    this.jobs.on('completed', ({ jobId }) => this.end(jobId, 'completed'));
    this.jobs.on('failed', ({ jobId }) => this.end(jobId, 'failed'));
    this.jobs.on('error', (error) => this.logger.error(error));
    this.queue.on('error', (error) => this.logger.error(error));
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
  async events(@Param('id') id: string) {
    const record = await this.record(id);
    if (record.at(-1)?.type === 'end') return from(record);
    return this.broadcaster.stream(roomOf(id), {
      until: ['end'],
      snapshot: () => this.record(id),
    });
  }

  async onModuleDestroy() {
    await Promise.all([this.queue.close(), this.jobs.close()]);
  }

  /** Every web process calls this; the key makes it one event. */
  private end(id: string, state: State) {
    const room = roomOf(id);
    this.broadcaster
      .to(room)
      .emit('end', { state }, { key: `${room} end` })
      // Clients come back then, and get the end from the record.
      .catch(() => this.broadcaster.closeRoom(room));
  }

  /** What the queue knows about the job. */
  private async record(id: string): Promise<SseMessage[]> {
    // The state first: it must not be newer than the progress.
    const state = await this.queue.getJobState(id);
    const job = await this.queue.getJob(id);
    if (!job) throw new NotFoundException(`No import ${id}`);
    const progress = { done: Number(job.progress), of: job.data.pages };
    const messages: SseMessage[] = [{ type: 'progress', data: progress }];
    if (state === 'completed' || state === 'failed') {
      messages.push({ type: 'end', data: { state } });
    }
    return messages;
  }
}
