import { HubEvent } from '../log/event.js';
import { encodeFrame, type Serialize, type SseMessage } from '../wire/frame.js';

/** The data of two pieces as that of one; `undefined` if they cannot be joined. */
export type JoinData = (earlier: unknown, later: unknown) => unknown;

/** An event that may become one with the event that waits before it, with `overflow: 'append'`. */
export interface Joinable {
  readonly key: string;
  readonly data: unknown;
  /** The data of both, with that of an earlier event first; `undefined` to keep them apart. */
  join(earlier: unknown): unknown;
  /** The frame of this event with other data. */
  frameOf(data: unknown): string;
  /** Whether JSON holds all of the data. */
  readonly isPlain: boolean;
}

/** V8 keeps joined texts as a tree of their parts, with about this many bytes for each part. */
const PART_BYTES = 64;
const MIN_PARTS = 64;

/** The data of events that have become one. */
export class Joined {
  private constructor(
    readonly data: unknown,
    private readonly parts: number,
    /** So many parts take no more memory than the text itself. */
    private readonly maxParts: number,
  ) {}

  /** `undefined` if they are to stay apart. */
  static of(earlier: Joinable, joined: Joined | undefined, later: Joinable): Joined | undefined {
    if (earlier.key !== later.key) return undefined;
    const data = later.join(joined === undefined ? earlier.data : joined.data);
    if (data === undefined) return undefined;
    const parts = joined?.parts ?? 1;
    const maxParts = joined?.maxParts ?? MIN_PARTS;
    if (parts < maxParts || !later.isPlain) return new Joined(data, parts + 1, maxParts);
    const text = JSON.stringify(data);
    return new Joined(JSON.parse(text), 1, Math.max(MIN_PARTS, text.length / PART_BYTES));
  }
}

export const joinText: JoinData = (earlier, later) =>
  typeof earlier === 'string' && typeof later === 'string' ? earlier + later : undefined;

/** The stream's options for joining. */
export interface JoinSettings {
  readonly conflateKey: (message: SseMessage) => string;
  readonly joinData: JoinData;
  readonly serialize: Serialize | undefined;
}

/**
 * `undefined` if the frame has more than a type, data and an id, or if its data was encoded in a
 * way of the app's own: it could not be written again with other data.
 */
export function joinableOf(
  frame: string,
  message: SseMessage,
  id: string | number | undefined,
  { conflateKey, joinData, serialize }: JoinSettings,
): Joinable | undefined {
  const { type, data } = message;
  if (data === undefined) return undefined;
  const own = HubEvent.is(message) ? undefined : serialize;
  const frameOf = (other: unknown): string =>
    encodeFrame({ ...(type !== undefined && { type }), data: other, id }, own);
  if (frameOf(data) !== frame) return undefined;
  const key = `${type ?? ''}\n${conflateKey(message)}`;
  const isPlain = typeof data === 'string' || (own === undefined && !ArrayBuffer.isView(data));
  return { key, data, join: (earlier) => joinData(earlier, data), frameOf, isPlain };
}
