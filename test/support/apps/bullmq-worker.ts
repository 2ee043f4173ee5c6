// A worker in a process of its own. Each step of a job waits until the test answers a request.
import { UnrecoverableError, Worker, type Job } from 'bullmq';

const { REDIS_URL: url = '', GATE_URL: gate = '', QUEUE: queue = '' } = process.env;

async function run(job: Job<{ steps: number }>, _token?: string, signal?: AbortSignal) {
  for (let done = 1; done <= job.data.steps; done++) {
    await fetch(`${gate}/${job.id}/${done}`, { signal: signal ?? null }).catch(() => {
      throw new UnrecoverableError('aborted');
    });
    await job.log(`step ${done}`);
    await job.updateProgress(done);
  }
  return { steps: job.data.steps };
}

const worker = new Worker<{ steps: number }>(queue, run, {
  connection: { url },
  concurrency: 50,
  lockDuration: 1_000,
  stalledInterval: 300,
});
await worker.waitUntilReady();
