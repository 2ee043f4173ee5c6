import type { RunFailure, RunState, RunStatus } from './runs.options.js';

/** The state room with an entry per run, by its id. Its entry is the run's only truth. */
export const RUNS = 'sse:runs';
/** The state room with an entry for each run that counts for a `concurrency` key. */
export const SLOTS = 'sse:runs:slots';
/** The state room with the leases of the processes that run something. */
export const RUNNERS = 'sse:runs:processes';

/**
 * What the log knows of a run. Setting `state` to anything but `running`, on the condition that
 * nobody has changed the entry, is the end of the run: one moment in the order of the log, after
 * all of its messages that count.
 */
export interface RunRecord {
  /** Random: a later run with the same id has another one, and rooms of its own. */
  readonly run: string;
  readonly kind: string;
  readonly state: RunState;
  /** The address of the process's lease. Not there once all pages are written. */
  readonly on?: string;
  /** The address of the process for messages. Not there once all pages are written. */
  readonly peer?: string;
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly keepMs: number;
  readonly abandonMs?: number;
  /** The key of its entry in the room of slots. */
  readonly slot?: string;
  readonly error?: RunFailure;
  /** The position of the end. Set once all pages are written. */
  readonly endAt?: number;
  /** How many messages it has. Set once all pages are written. */
  readonly count?: number;
  /** Whether some of its messages were lost together with its process. */
  readonly isCut?: boolean;
}

/** The room of a run's messages, whose entries are the pages that keep them. */
export function roomOf(id: string, { run }: Pick<RunRecord, 'run'>): string {
  return `sse:run:${id}:${run}`;
}

export function isOver({ state }: Pick<RunRecord, 'state'>): boolean {
  return state !== 'running';
}

/** The record of a run that needs its process no more, because all pages are written. */
export function written(
  { on: _on, peer: _peer, ...record }: RunRecord,
  end: Pick<RunRecord, 'endAt' | 'count' | 'isCut'>,
): RunRecord {
  return { ...record, ...end };
}

export function statusOf(id: string, record: RunRecord, position: string): RunStatus {
  const { kind, state, startedAt, endedAt, error } = record;
  return {
    id,
    kind,
    state,
    position,
    startedAt,
    ...(endedAt !== undefined && { endedAt }),
    ...(error !== undefined && { error }),
  };
}
