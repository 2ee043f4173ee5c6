import type { JobRunSettings, JobRunStatus } from './job-runs.options.js';
import type { JobRecord } from './queue-access.js';
import type { QueueEvent } from './queue-event.js';

/** What readers get to know of a failure: its reason may hold secrets. */
const HIDDEN = 'Internal server error';

type Ends = Pick<JobRunSettings, 'result' | 'reason'>;

const failure = (reason: string, options: Ends): Pick<JobRunStatus, 'error'> => ({
  error: { statusCode: 500, message: options.reason?.(reason) ?? HIDDEN },
});

/** A worker that returns nothing has returned `null`, as its record says. */
const success = (value: unknown, { result }: Ends): Pick<JobRunStatus, 'result'> =>
  result === undefined ? {} : { result: result(value ?? null) };

/** The state of a job from its record. */
export function statusOfRecord(id: string, record: JobRecord, options: Ends): JobRunStatus {
  const { state, progress, timestamp: addedAt, finishedOn } = record;
  const facts = { id, progress, addedAt };
  const endedAt = finishedOn === undefined ? {} : { endedAt: finishedOn };
  if (state === 'completed') {
    return { ...facts, ...endedAt, state: 'finished', ...success(record.returnvalue, options) };
  }
  if (state === 'failed') {
    const reason = record.failedReason ?? '';
    return { ...facts, ...endedAt, state: 'failed', ...failure(reason, options) };
  }
  return { ...facts, state: 'running' };
}

/** How a job has ended, from its last event. */
export function statusOfEnd(
  end: QueueEvent,
  facts: Pick<JobRunStatus, 'progress' | 'addedAt'>,
  isStopping: boolean,
  options: Ends,
): JobRunStatus {
  const common = { id: end.jobId, ...facts, endedAt: end.id.ms };
  if (end.type === 'completed') {
    return { ...common, state: 'finished', ...success(end.data, options) };
  }
  if (end.type === 'removed' || isStopping) return { ...common, state: 'stopped' };
  const reason = typeof end.data === 'string' ? end.data : '';
  return { ...common, state: 'failed', ...failure(reason, options) };
}
