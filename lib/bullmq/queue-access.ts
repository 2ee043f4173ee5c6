import { SseOptionsError } from '../ground/errors.js';
import type { JobQueue, QueuedJob } from './job-queue.js';
import { STOP, type StreamEntry } from './queue-event.js';
import { formatStreamId, type StreamId } from './stream-id.js';

/** What the queue knows of a job. */
export interface JobRecord extends QueuedJob {
  readonly state: string;
}

/** The client of BullMQ 6, whose commands take objects. */
interface Client6 {
  xread(streams: { key: string; id: string }[], options: { COUNT: number }): Promise<unknown>;
  xadd(
    key: string,
    id: string,
    fields: Record<string, string>,
    options: { MAXLEN: number; approximate: boolean },
  ): Promise<unknown>;
}

/** The client of BullMQ 5: an ioredis one. */
interface Client5 {
  xread(...args: (string | number)[]): Promise<unknown>;
  xadd(...args: (string | number)[]): Promise<unknown>;
}

type Clients = JobQueue & {
  getBackend?(): { readonly client?: Promise<Client6> };
  readonly client?: Promise<Client5>;
  readonly opts?: { readonly streams?: { readonly events?: { readonly maxLen?: number } } };
};

/** So many events does BullMQ keep by default. */
const MAX_EVENTS = 10_000;

/** What is read and written over the connection of the app's `Queue`. Nothing of it blocks. */
export class QueueAccess {
  private readonly queue: Clients;
  private readonly key: string;

  constructor(queue: JobQueue) {
    this.queue = queue;
    this.key = queue.toKey('events');
  }

  get name(): string {
    return this.queue.name;
  }

  /** Entries of the stream of events after an id, the oldest first. */
  async events(after: StreamId, count: number): Promise<readonly StreamEntry[]> {
    const id = formatStreamId(after);
    const { client6, client5 } = await this.clients();
    const reply = await (client6?.xread([{ key: this.key, id }], { COUNT: count }) ??
      client5?.xread('COUNT', count, 'STREAMS', this.key, id));
    const [stream] = (reply ?? []) as [string, StreamEntry[]][];
    return stream?.[1] ?? [];
  }

  /** Asks the job's worker to stop, wherever it runs. */
  async askToStop(jobId: string): Promise<void> {
    const { client6, client5 } = await this.clients();
    const max = this.queue.opts?.streams?.events?.maxLen ?? MAX_EVENTS;
    const fields = { event: STOP, jobId };
    if (client6 !== undefined) {
      await client6.xadd(this.key, '*', fields, { MAXLEN: max, approximate: true });
    } else {
      const flat = Object.entries(fields).flat();
      await client5?.xadd(this.key, 'MAXLEN', '~', max, '*', ...flat);
    }
  }

  private async clients(): Promise<{ client6?: Client6; client5?: Client5 }> {
    const { queue } = this;
    if (queue.getBackend === undefined) return { client5: await queue.client! };
    const client6 = await queue.getBackend().client;
    if (client6 !== undefined) return { client6 };
    throw new SseOptionsError('jobRuns(queue)', 'a Queue on Redis', queue.getBackend());
  }

  /** Resolves with `undefined` for an id that belongs to no job, also if its key exists. */
  async record(id: string): Promise<JobRecord | undefined> {
    // The state first: what is read later is at least as new.
    const state = await this.queue.getJobState(id);
    if (state === 'unknown') return undefined;
    const job = await this.queue.getJob(id);
    if (job === undefined) return undefined;
    const { timestamp, processedOn, finishedOn, progress, returnvalue, failedReason, opts } = job;
    return { state, timestamp, processedOn, finishedOn, progress, returnvalue, failedReason, opts };
  }

  logs(id: string, from: number, max: number): Promise<{ logs: string[]; count: number }> {
    return this.queue.getJobLogs(id, from, from + max - 1);
  }

  /** Returns whether the job was removed. BullMQ refuses that for one that is active. */
  async remove(id: string): Promise<boolean> {
    return (await this.queue.remove(id)) === 1;
  }
}
