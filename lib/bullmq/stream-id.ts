/** The id of an entry in the queue's stream of events. It is the same in all processes. */
export interface StreamId {
  readonly ms: number;
  readonly seq: number;
}

/** Before all entries. */
export const START: StreamId = { ms: 0, seq: 0 };

const ID = /^(\d{1,15})-(\d{1,15})$/;

/** Returns `undefined` for any other text. Never throws. */
export function parseStreamId(text: string): StreamId | undefined {
  const match = ID.exec(text);
  return match === null ? undefined : { ms: Number(match[1]), seq: Number(match[2]) };
}

export function formatStreamId({ ms, seq }: StreamId): string {
  return `${ms}-${seq}`;
}

export function isAfter(one: StreamId, other: StreamId): boolean {
  return one.ms > other.ms || (one.ms === other.ms && one.seq > other.seq);
}

export function laterOf(one: StreamId, other: StreamId): StreamId {
  return isAfter(one, other) ? one : other;
}

const LAST_SEQ = 999_999_999_999_999;

/** The id right before this one. */
export function before({ ms, seq }: StreamId): StreamId {
  return seq > 0 ? { ms, seq: seq - 1 } : { ms: ms - 1, seq: LAST_SEQ };
}
