import { randomUUID } from 'node:crypto';
import { Injectable, Logger, NotFoundException, type OnModuleDestroy } from '@nestjs/common';
import { Broadcaster } from 'nestjs-eventstream';
import type { Answer, End, JobEvents } from './events.js';
import { Model } from './model.js';

/** Beyond so many, the oldest are forgotten. */
const MAX_JOBS = 100;

/** As it would be in a database. */
interface Job extends Answer {
  readonly id: string;
  end?: End;
  readonly stopping: AbortController;
}

/** Runs jobs, whether or not somebody reads them. What is told of a job is in its record before. */
@Injectable()
export class JobsService implements OnModuleDestroy {
  private readonly logger = new Logger(JobsService.name);
  private readonly jobs = new Map<string, Job>();

  constructor(
    private readonly broadcaster: Broadcaster<JobEvents>,
    private readonly model: Model,
  ) {}

  start(prompt: string): Job {
    const job: Job = { id: randomUUID(), prompt, text: '', stopping: new AbortController() };
    this.jobs.set(job.id, job);
    this.forgetOldest();
    this.run(job).catch((error: unknown) => this.logger.error(error));
    return job;
  }

  /** @throws NotFoundException */
  find(id: string): Job {
    const job = this.jobs.get(id);
    if (job === undefined) throw new NotFoundException(`There is no job ${id}`);
    return job;
  }

  /** A job that is over stays as it is. */
  stop(id: string): void {
    this.find(id).stopping.abort();
  }

  onModuleDestroy(): void {
    for (const { stopping } of this.jobs.values()) stopping.abort();
  }

  private async run(job: Job): Promise<void> {
    const { prompt, stopping } = job;
    const room = this.broadcaster.to(roomOf(job.id));
    let reason: End['reason'] = 'finished';
    try {
      for await (const text of this.model.complete(prompt, { signal: stopping.signal })) {
        const at = job.text.length;
        job.text += text;
        await room.emit('token', { at, text });
      }
    } catch (error) {
      if (!stopping.signal.aborted) this.logger.error(error);
      reason = 'failed';
    }
    // Some models throw then, others are just at their end.
    if (stopping.signal.aborted) reason = 'stopped';
    job.end = { reason };
    await room.emit('end', job.end);
  }

  private forgetOldest(): void {
    const [oldest] = this.jobs.keys();
    if (this.jobs.size <= MAX_JOBS || oldest === undefined) return;
    this.stop(oldest);
    this.jobs.delete(oldest);
  }
}

export const roomOf = (id: string): string => `job ${id}`;
