import { parseStreamId, START, type StreamId } from './stream-id.js';

/**
 * What a client has of a job: everything up to an entry of the queue's stream of events, and the
 * first lines of its log. Lines have no place among the events, and each process reads them at
 * other moments, so one number cannot say both.
 */
export interface JobCursor {
  /** When the job was added, in milliseconds since 1970: a later job may have the same id. */
  readonly added: number;
  readonly at: StreamId;
  readonly lines: number;
}

const FORM = /^job\.([0-9a-z]{1,10})\.([0-9a-z]{1,10})\.([0-9a-z]{1,10})\.([0-9a-z]{1,8})$/;

/** Formats it as `job.<added>.<ms>.<seq>.<lines>` in base 36. */
export function formatJobCursor({ added, at, lines }: JobCursor): string {
  return `job.${[added, at.ms, at.seq, lines].map((part) => part.toString(36)).join('.')}`;
}

/** Returns `undefined` for any other text. Never throws. */
export function parseJobCursor(text: string): JobCursor | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [added = 0, ms = 0, seq = 0, lines = 0] = match
    .slice(1)
    .map((part) => Number.parseInt(part, 36));
  return { added, at: parseStreamId(`${ms}-${seq}`) ?? START, lines };
}
