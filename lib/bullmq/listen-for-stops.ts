import type { JobEvents, JobWorker } from './job-queue.js';
import { checkQueueEvents, checkWorker } from './job-runs.options.js';
import { STOP } from './queue-event.js';

/** The reason of the `signal` of a job that `JobRuns.stop()` stops. */
const REASON = 'stopped';

/**
 * Aborts the `signal` of a job of this worker when `JobRuns.stop()` is called for it in any
 * process. The processor then throws an `UnrecoverableError`; after any other error, an attempt
 * that is left is removed. Returns a function that stops listening.
 * @throws SseOptionsError
 * @example
 * ```ts
 * const worker = new Worker('imports', async (job, token, signal) => {
 *   for (const page of job.data.pages) {
 *     if (signal?.aborted) throw new UnrecoverableError('stopped');
 *     await importPage(page, { signal });
 *   }
 * }, { connection });
 * listenForStops(worker, new QueueEvents('imports', { connection }));
 * ```
 * @publicApi
 */
export function listenForStops(worker: JobWorker, queueEvents: JobEvents): () => void {
  checkWorker('listenForStops(worker)', worker);
  checkQueueEvents('listenForStops(queueEvents)', queueEvents);
  const listener = ({ jobId }: { jobId: string }): void => {
    worker.cancelJob(jobId, REASON);
  };
  queueEvents.on(STOP, listener);
  return () => queueEvents.off(STOP, listener);
}
