import { QueueEvents, Worker, type Job } from 'bullmq';
import { listenForStops } from 'nestjs-eventstream/bullmq';

interface Import {
  pages: number;
}
interface Progress {
  done: number;
  of: number;
}

const url = process.env['REDIS_URL'] ?? 'redis://localhost:6379';
const supplier = process.env['SUPPLIER_URL'] ?? 'https://shop.example';
const connection = { url };

async function run(
  job: Job<Import, void, string, Progress>,
  _token?: string,
  signal?: AbortSignal,
) {
  const of = job.data.pages;
  // A second attempt goes on after the last page that is done.
  for (let done = (job.progress?.done ?? 0) + 1; done <= of; done++) {
    const page = await fetch(`${supplier}/products?page=${done}`, {
      signal: signal ?? null,
    });
    if (!page.ok) throw new Error(`Page ${done}: ${page.status}`);
    // Here the app stores the products of this page.

    await job.log(`Page ${done} is imported.`);
    await job.updateProgress({ done, of });
  }
}

const worker = new Worker('imports', run, { connection });
const jobs = new QueueEvents('imports', { connection });
listenForStops(worker, jobs);
worker.on('failed', (_job, error) => console.warn(error.message));
worker.on('error', (error) => console.error(error));
jobs.on('error', (error) => console.error(error));

process.once('SIGTERM', () => {
  // Waits for the current job.
  void worker.close().then(() => jobs.close());
});
