import { HttpException } from '@nestjs/common';
import { currentStream, streamOf } from '../connection/current-stream.js';
import { SseOptionsError } from '../ground/errors.js';
import { REAL_TIME, type Time } from '../ground/time.js';
import { defined } from '../options/defined.js';
import { refusal } from '../runs/run-error.js';
import { checkRunId } from '../runs/runs.options.js';
import { JobRuns, type JobStream } from './job-runs.js';
import { FollowedJob } from './followed-job.js';
import type { JobEvents, JobQueue } from './job-queue.js';
import { JobReader, type ReadJob } from './job-reader.js';
import {
  checkJobFollowOptions,
  checkJobRunsOptions,
  checkQueue,
  checkQueueEvents,
  JOB_RUN_DEFAULTS,
  type JobFollowOptions,
  type JobRunSettings,
  type JobRunsOptions,
  type JobRunStatus,
} from './job-runs.options.js';
import { statusOfEnd, statusOfRecord } from './job-status.js';
import { QueueAccess, type JobRecord } from './queue-access.js';
import { isRemovalOfEnded, type QueueEvent } from './queue-event.js';
import { QueueView } from './queue-view.js';
import { isAfter } from './stream-id.js';
import { StopRequest } from './stop-request.js';

/** A job is followed for this long after its last reader has left: many come back. */
const LINGER_MS = 5_000;
/** Events are kept for this long after the last job was followed. */
const KEEP_MS = 60_000;
/** How often it looks whether the queue still knows the jobs that are followed. */
const CHECK_MS = 30_000;

/**
 * Shows the jobs of a BullMQ queue as runs: progress, log and end, for any number of readers in any
 * process, over the connections of `queue` and `queueEvents`, which are the app's. Nothing is
 * copied: the queue's stream of events and the records of its jobs are the only truth.
 * @throws SseOptionsError
 * @example
 * ```ts
 * private readonly queue = new Queue('imports', { connection });
 * private readonly jobs = jobRuns(this.queue, new QueueEvents('imports', { connection }));
 *
 * @SseStream('imports/:id', { onComplete: 'close' })
 * events(@Param('id') id: string) {
 *   return this.jobs.follow(id);
 * }
 *
 * @Post('imports/:id/stop')
 * stop(@Param('id') id: string) {
 *   return this.jobs.stop(id);
 * }
 * ```
 * @publicApi
 */
export function jobRuns(
  queue: JobQueue,
  queueEvents: JobEvents,
  options: JobRunsOptions = {},
): JobRuns {
  checkQueue('jobRuns(queue)', queue);
  checkQueueEvents('jobRuns(queueEvents)', queueEvents);
  checkJobRunsOptions('jobRuns()', options);
  const key = queue.toKey('events');
  if (queueEvents.toKey('events') !== key) {
    const expected = `QueueEvents with the name and the prefix of the queue, which has ${key}`;
    throw new SseOptionsError('jobRuns(queueEvents)', expected, queueEvents.toKey('events'));
  }
  return new Jobs(queue, queueEvents, { ...JOB_RUN_DEFAULTS, ...defined(options) });
}

/** The engine of `JobRuns`: the jobs of one queue, as this process sees them. */
export class Jobs extends JobRuns {
  private readonly queue: QueueAccess;
  private readonly view: QueueView;
  /** The jobs that this process follows, by id. */
  private readonly followed = new Map<string, FollowedJob>();
  private cancelPoll: (() => void) | undefined;
  private cancelReset: (() => void) | undefined;
  private checkedAt = 0;
  private isClosed = false;

  constructor(
    queue: JobQueue,
    queueEvents: JobEvents,
    private readonly options: JobRunSettings,
    private readonly time: Time = REAL_TIME,
  ) {
    super();
    this.queue = new QueueAccess(queue);
    this.view = new QueueView(this.queue, queueEvents, options.maxEvents, {
      event: (event) => this.event(event),
      lost: () => this.followed.forEach((job) => job.lost()),
      cleaned: () => this.check(),
    });
  }

  follow(id: string, options: JobFollowOptions = {}): JobStream {
    checkRunId('follow(id)', id);
    checkJobFollowOptions('follow()', options);
    const given = options.connection && streamOf(options.connection);
    return {
      id,
      [Symbol.asyncIterator]: () => {
        const connection = given ?? currentStream.getStore();
        return new JobReader(() => this.read(id, options), options, connection);
      },
    };
  }

  private async read(id: string, { none = 204 }: JobFollowOptions): Promise<ReadJob> {
    const job = this.follower(id);
    job.readers++;
    job.cancelEnd?.();
    this.pollLater();
    try {
      if (await job.load()) return this.readerOf(job);
    } catch (error) {
      this.release(job);
      this.forget(job);
      throw error;
    }
    this.release(job);
    this.forget(job);
    throw none === 204 ? new HttpException('', 204) : noJob(id, this.queue.name);
  }

  private readerOf(job: FollowedJob): ReadJob {
    const { view } = this;
    return {
      job,
      hasReached: async (at) => {
        if (isAfter(at, view.end)) await view.catchUp();
        return !isAfter(at, view.end);
      },
      release: () => this.release(job),
    };
  }

  private follower(id: string): FollowedJob {
    const known = this.followed.get(id);
    if (known !== undefined && !known.timeline.isGone) return known;
    const job = new FollowedJob(id, this.queue, this.view, this.options);
    this.followed.set(id, job);
    this.cancelReset?.();
    return job;
  }

  private release(job: FollowedJob): void {
    if (--job.readers === 0) job.cancelEnd = this.time.after(LINGER_MS, () => this.forget(job));
  }

  private forget(job: FollowedJob): void {
    if (job.readers > 0) return;
    job.cancelEnd?.();
    if (this.followed.get(job.id) === job) this.followed.delete(job.id);
    if (this.followed.size > 0) return;
    this.cancelReset?.();
    this.cancelReset = this.time.after(KEEP_MS, () => this.view.reset());
  }

  private event(event: QueueEvent): void {
    const job = this.followed.get(event.jobId);
    job?.event(event);
    // Its record is gone: who comes now gets 204.
    if (job !== undefined && isRemovalOfEnded(event)) this.followed.delete(job.id);
  }

  /** Reads what has no event, as long as somebody reads. */
  private pollLater(): void {
    if (this.isClosed) return;
    this.cancelPoll ??= this.time.after(this.options.pollMs, () => {
      this.cancelPoll = undefined;
      if (this.followed.size === 0) return;
      if (!this.view.isSure) this.view.catchUp().catch(() => {});
      if (this.options.logs) for (const job of this.followed.values()) job.poll();
      const now = this.time.now();
      if (now - this.checkedAt > CHECK_MS) this.check();
      this.pollLater();
    });
  }

  private check(): void {
    this.checkedAt = this.time.now();
    // The next check looks again.
    for (const job of this.followed.values()) job.check().catch(() => {});
  }

  async status(id: string): Promise<JobRunStatus | undefined> {
    checkRunId('status(id)', id);
    const record = await this.queue.record(id);
    return record && this.statusOf(id, record);
  }

  /** The events also know of a failure that was asked for. */
  private statusOf(id: string, record: JobRecord): JobRunStatus {
    const end = this.view.historyOf(id)?.end;
    const status = statusOfRecord(id, record, this.options);
    if (end === undefined || status.state !== 'failed') return status;
    const isStopping = this.view.historyOf(id)?.isStopping ?? false;
    const facts = { progress: record.progress, addedAt: record.timestamp };
    return statusOfEnd(end, facts, isStopping, this.options);
  }

  async stop(id: string): Promise<JobRunStatus> {
    checkRunId('stop(id)', id);
    const outcome = await new StopRequest(this.queue, this.time, this.options).stop(id);
    if (outcome === 'unknown') throw noJob(id, this.queue.name);
    if (outcome.record !== undefined) {
      const status = statusOfRecord(id, outcome.record, this.options);
      if (status.state !== 'failed') return status;
    }
    const addedAt = outcome.record?.timestamp;
    return {
      id,
      state: 'stopped',
      ...(addedAt !== undefined && { addedAt }),
      endedAt: outcome.record?.finishedOn ?? Date.now(),
    };
  }

  close(): void {
    this.isClosed = true;
    this.cancelPoll?.();
    this.cancelReset?.();
    for (const job of this.followed.values()) job.cancelEnd?.();
    this.view.close();
  }
}

function noJob(id: string, queue: string): HttpException {
  const what = `the queue ${queue} knows no job ${JSON.stringify(id)}`;
  return refusal('unknown', `${what}; add it, or keep it longer with removeOnComplete`);
}
