import { Deferred } from '../ground/deferred.js';
import type { Time } from '../ground/time.js';
import { refusal } from '../runs/run-error.js';
import type { JobRunSettings } from './job-runs.options.js';
import type { JobRecord, QueueAccess } from './queue-access.js';

/** How often it looks whether the job has ended, and how often it asks its worker again. */
const LOOK_MS = 100;
const ASK_AGAIN_MS = 1_000;

/** Stops one job. */
export class StopRequest {
  private asked = -Infinity;
  private last: JobRecord | undefined;

  constructor(
    private readonly queue: QueueAccess,
    private readonly time: Time,
    private readonly options: Pick<JobRunSettings, 'stopMs'>,
  ) {}

  /**
   * Resolves when the job has ended, with its record unless it was removed.
   * @throws HttpException 409
   */
  async stop(id: string): Promise<'unknown' | { record?: JobRecord }> {
    const until = this.time.now() + this.options.stopMs;
    for (;;) {
      const record = await this.queue.record(id);
      if (record === undefined) return this.last === undefined ? 'unknown' : {};
      const { state } = record;
      if (state === 'completed' || state === 'failed') {
        if (this.last !== undefined) return { record };
        const remedy = 'there is nothing to stop; read its state with status()';
        throw refusal('over', `the job ${JSON.stringify(id)} has ended (${state}); ${remedy}`);
      }
      this.last = record;
      if (state !== 'active') {
        // BullMQ refuses it when a worker was faster.
        if (await this.queue.remove(id)) return {};
      } else await this.ask(id, until);
      await this.pause();
    }
  }

  private async ask(id: string, until: number): Promise<void> {
    const now = this.time.now();
    if (now >= until) {
      const what = `the job ${JSON.stringify(id)} is active, and its worker has not stopped it`;
      const remedy = 'call listenForStops(worker, queueEvents) there, and heed the signal';
      throw refusal('active', `${what} within ${this.options.stopMs} ms; ${remedy}`);
    }
    if (now - this.asked < ASK_AGAIN_MS) return;
    this.asked = now;
    await this.queue.askToStop(id);
  }

  private pause(): Promise<void> {
    const time = new Deferred<void>();
    this.time.after(LOOK_MS, () => time.resolve());
    return time.promise;
  }
}
