import { formatCursor, parseCursor, type Cursor, type Position } from './cursor.js';

/** This library issues no longer ids. It does not parse longer ones, so they cost little. */
export const MAX_LAST_EVENT_ID_LENGTH = 128;

/** Separates the cursors of several hubs. */
const SEPARATOR = '~';

/** The mark of a slow client, the last part of its last event ID; see `SlowClients`. */
const MARK = /~s\.([A-Za-z0-9_-]{8})$/;

/** A client that sent a last event ID. Its text is parsed once, where the request comes in. */
export interface ReturningClient {
  /** The last event ID as the client sent it. */
  readonly text: string;
  /** The client's position in each hub that it read. Empty if the text is not one of ours. */
  readonly cursors: readonly Cursor[];
  /** Identifies a client that was disconnected because it was too slow. */
  readonly mark: string | undefined;
}

const NOT_OURS: readonly Cursor[] = [];

/** Accepts any text. Never throws. */
export function parseLastEventId(text: string): ReturningClient {
  if (text.length > MAX_LAST_EVENT_ID_LENGTH) return { text, cursors: NOT_OURS, mark: undefined };
  const mark = MARK.exec(text);
  const cursors = parseCursors(mark === null ? text : text.slice(0, mark.index));
  return { text, cursors, mark: cursors === NOT_OURS ? undefined : mark?.[1] };
}

/** If one part is not a cursor, the whole text is not ours. */
function parseCursors(text: string): readonly Cursor[] {
  const cursors: Cursor[] = [];
  for (const part of text.split(SEPARATOR)) {
    const cursor = parseCursor(part);
    if (cursor === undefined) return NOT_OURS;
    cursors.push(cursor);
  }
  return cursors;
}

/** Appends the mark and drops an earlier one. Leaves it out if the text would become too long. */
export function withMark(cursors: string, mark: string): string {
  const plain = cursors.replace(MARK, '');
  const marked = `${plain}${SEPARATOR}s.${mark}`;
  return marked.length > MAX_LAST_EVENT_ID_LENGTH ? plain : marked;
}

/** A client's position in one hub, as one of its subscriptions knows it. */
export interface ReaderPosition {
  readonly epoch: string;
  /** `undefined` if it is not known. No cursor is written then. */
  readonly position: Position | undefined;
  /**
   * Whether an event is still on its way to the client. If so, the cursor must not pass this
   * position, even if other subscriptions to the same hub are further.
   */
  readonly isHeld: boolean;
}

/** One last event ID for all positions. Per hub the lowest held one counts, else the highest. */
export function joinPositions(streams: readonly ReaderPosition[]): string | undefined {
  const [only] = streams;
  if (only !== undefined && streams.length === 1) {
    const { epoch, position = -1 } = only;
    return position >= 0 ? formatCursor({ epoch, position }) : undefined;
  }
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
