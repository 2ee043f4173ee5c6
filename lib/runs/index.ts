/**
 * Runs: work that outlives its connections.
 * @module nestjs-eventstream/runs
 */

// for a module's `imports`
export { SseRunsModule } from './sse-runs.module.js';
export { RUN_DEFAULTS } from './runs.options.js';
export type { RunLimits, SseRunsOptions } from './runs.options.js';

// for controllers and services
export { SseRuns } from './sse-runs.js';
export type { RunStream } from './sse-runs.js';
export type { RunProducer, RunSource } from './production.js';
export type {
  FollowOptions,
  RunFailure,
  RunState,
  RunStatus,
  StartOptions,
} from './runs.options.js';

// errors
export { SseRunError } from './run-error.js';
