import { formatCursor, parseCursor, type Cursor, type Position } from './cursor.js';

/** Longer texts are not ours: a client's header must not cost more than this. */
export const MAX_LAST_EVENT_ID_LENGTH = 128;

/** Between the cursors of several hubs. */
const SEPARATOR = '~';

/** The last part of the last event ID of a client that was slow; see `SlowClients`. */
const MARK = /~s\.([A-Za-z0-9_-]{8})$/;

/** A client with a last event ID. The text is taken apart once, where the client comes in. */
export interface ReturningClient {
  /** The last event ID as the client sent it. */
  readonly text: string;
  /** Where it stood in each hub that it read; none if the text is not one of ours. */
  readonly cursors: readonly Cursor[];
  /** A client that was cut for slowness is known by its mark. */
  readonly mark: string | undefined;
}

const NOT_OURS: readonly Cursor[] = [];

/** Takes any text, and never throws. */
export function parseLastEventId(text: string): ReturningClient {
  if (text.length > MAX_LAST_EVENT_ID_LENGTH) return { text, cursors: NOT_OURS, mark: undefined };
  const mark = MARK.exec(text);
  const cursors = parseCursors(mark === null ? text : text.slice(0, mark.index));
  return { text, cursors, mark: cursors === NOT_OURS ? undefined : mark?.[1] };
}

/** One part that is no cursor makes the whole text one that is not ours. */
function parseCursors(text: string): readonly Cursor[] {
  const cursors: Cursor[] = [];
  for (const part of text.split(SEPARATOR)) {
    const cursor = parseCursor(part);
    if (cursor === undefined) return NOT_OURS;
    cursors.push(cursor);
  }
  return cursors;
}

/** The cursors with this mark, and no other; without one where it would make them too long. */
export function withMark(cursors: string, mark: string): string {
  const plain = cursors.replace(MARK, '');
  const marked = `${plain}${SEPARATOR}s.${mark}`;
  return marked.length > MAX_LAST_EVENT_ID_LENGTH ? plain : marked;
}

/** Where a client stands in one hub, as one of its streams sees it. */
export interface ReaderPosition {
  readonly epoch: string;
  /** `undefined`: not known, so no cursor may be written. */
  readonly position: Position | undefined;
  /**
   * Something is on its way to the client still; without that, the stream does not hold others of
   * its hub back.
   */
  readonly isHeld: boolean;
}

/** One last event ID for all hubs that a client reads: what each stream lets it have. */
export function joinPositions(streams: readonly ReaderPosition[]): string | undefined {
  const positions = new Map<string, { held: Position; free: Position }>();
  for (const { epoch, position = -1, isHeld } of streams) {
    const known = positions.get(epoch) ?? { held: Infinity, free: -1 };
    if (isHeld) known.held = Math.min(known.held, position);
    else known.free = Math.max(known.free, position);
    positions.set(epoch, known);
  }
  const cursors: string[] = [];
  for (const [epoch, { held, free }] of positions) {
    const position = held === Infinity ? free : held;
    if (position >= 0) cursors.push(formatCursor({ epoch, position }));
  }
  return cursors.length === 0 ? undefined : cursors.join(SEPARATOR);
}
