// The members that lib/bullmq declares are those of BullMQ.
import type { Queue, QueueEvents, Worker } from 'bullmq';
import { jobRuns, listenForStops, type JobRunStatus } from 'nestjs-eventstream/bullmq';

declare const queue: Queue<{ pages: number }, { rows: number }, 'import'>;
declare const plain: Queue;
declare const events: QueueEvents;
declare const worker: Worker<{ pages: number }, { rows: number }, 'import'>;

const jobs = jobRuns(queue, events, {
  logs: false,
  states: true,
  result: (value) => value,
  reason: (text) => text.toUpperCase(),
});
jobRuns(plain, events);

const stream: AsyncIterable<unknown> = jobs.follow('id', {
  none: 404,
  map: (message) => ({ ...message, type: 'step' }),
  end: ({ state, result }) => ({ type: state, data: result }),
});
const status: Promise<JobRunStatus | undefined> = jobs.status('id');
const state: Promise<'running' | 'finished' | 'failed' | 'stopped'> = jobs
  .stop('id')
  .then((stopped) => stopped.state);
const stopListening: () => void = listenForStops(worker, events);
export const all = [stream, status, state, stopListening];

// @ts-expect-error -- in this order
jobRuns(events, queue);
// @ts-expect-error -- a job needs an id
jobs.follow();
// @ts-expect-error -- 204 or 404
jobs.follow('id', { none: 200 });
// @ts-expect-error -- the worker comes first
listenForStops(events, worker);
