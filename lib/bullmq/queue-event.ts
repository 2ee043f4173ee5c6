import { parseStreamId, type StreamId } from './stream-id.js';

/** The event in the queue's stream that asks the job's worker to stop. */
export const STOP = 'nestjs-eventstream:stop';

/** Events that set what the job is doing. */
const STATES = ['waiting', 'delayed', 'active', 'waiting-children'] as const;
const ENDS = ['completed', 'failed', 'removed'] as const;
/** Those of a job that matter here. */
export const OF_JOBS = ['added', 'progress', 'stalled', STOP, ...STATES, ...ENDS] as const;

/** An event of a job, as BullMQ wrote it to the queue's stream. */
export interface QueueEvent {
  readonly id: StreamId;
  readonly type: (typeof OF_JOBS)[number];
  readonly jobId: string;
  /** The progress, the return value, the reason of the failure, or the state before a removal. */
  readonly data?: unknown;
}

const isOneOf = <T extends string>(all: readonly T[], type: string): type is T =>
  (all as readonly string[]).includes(type);

export const isJobState = ({ type }: QueueEvent): boolean => isOneOf(STATES, type);
export const isJobEnd = ({ type }: QueueEvent): boolean => isOneOf(ENDS, type);

/** Whether the record of a job is removed that has ended before. */
export const isRemovalOfEnded = ({ type, data }: QueueEvent): boolean =>
  type === 'removed' && (data === 'completed' || data === 'failed');

/** What `QueueEvents` passes to its listeners. */
export interface LiveArgs {
  readonly jobId?: string;
  readonly data?: unknown;
  readonly returnvalue?: unknown;
  readonly failedReason?: unknown;
  readonly prev?: unknown;
}

/** An event of `QueueEvents`; `undefined` for one that is none of a job. */
export function liveEvent(type: string, args: LiveArgs, idText: string): QueueEvent | undefined {
  const id = parseStreamId(idText);
  const { jobId } = args;
  if (id === undefined || jobId === undefined || !isOneOf(OF_JOBS, type)) return undefined;
  const before = type === 'removed' ? args.prev : undefined;
  const data = args.data ?? args.returnvalue ?? args.failedReason ?? before;
  return { id, type, jobId, ...(data !== undefined && { data }) };
}

/** An entry of the stream: its id, then names and values by turns. */
export type StreamEntry = readonly [id: string, fields: readonly string[]];

/** An event from an entry of the stream; `undefined` for one that is none of a job. */
export function storedEvent([id, fields]: StreamEntry): QueueEvent | undefined {
  const values: Record<string, string> = {};
  for (let index = 0; index < fields.length; index += 2) {
    values[fields[index]!] = fields[index + 1]!;
  }
  const { event = '', data, returnvalue, ...rest } = values;
  const args = {
    ...rest,
    ...(data !== undefined && { data: parsed(data) }),
    ...(returnvalue !== undefined && { returnvalue: parsed(returnvalue) }),
  };
  return liveEvent(event, args, id);
}

/** Workers in other languages may write text that is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
