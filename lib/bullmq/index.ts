/**
 * The jobs of BullMQ as runs.
 * @module nestjs-eventstream/bullmq
 */

// for controllers and services
export { jobRuns } from './jobs.js';
export { JobRuns } from './job-runs.js';
export type { JobStream } from './job-runs.js';
export { JOB_RUN_DEFAULTS } from './job-runs.options.js';
export type { JobFollowOptions, JobRunsOptions, JobRunStatus } from './job-runs.options.js';

// for workers
export { listenForStops } from './listen-for-stops.js';

// what of BullMQ is used
export type { JobEvents, JobQueue, JobWorker, QueuedJob } from './job-queue.js';
