/**
 * A hub's sequence number: strictly increasing, never used again. Microseconds of the log's clock,
 * so that a log which lost writes does not give a number twice.
 */
export type Position = number;

/** Where a client stands in one hub: what it brings back as `Last-Event-ID`. */
export interface Cursor {
  /** Names the lifetime of a log; a cursor of another epoch says nothing about this log. */
  readonly epoch: string;
  readonly position: Position;
}

const VERSION = '1';

/** Longer texts are no cursors of ours: a client's header must not cost us more than this. */
export const MAX_CURSOR_LENGTH = 128;

/** Between the cursors of several hubs in one last event ID. */
const CURSOR_SEPARATOR = '~';

/** The last part of the last event ID of a client that was slow; see `SlowClients`. */
const MARK = /~s\.([A-Za-z0-9_-]{8})$/;

/** `1.<epoch>.<position base36>` */
export function formatCursor({ epoch, position }: Cursor): string {
  return `${VERSION}.${epoch}.${position.toString(36)}`;
}

/** The cursors in a last event ID, without its mark; `undefined` where it is not one of ours. Never throws. */
export function parseCursors(text: string): Cursor[] | undefined {
  if (text.length > MAX_CURSOR_LENGTH) return undefined;
  const cursors: Cursor[] = [];
  for (const part of text.replace(MARK, '').split(CURSOR_SEPARATOR)) {
    const match = /^1\.([A-Za-z0-9_-]{1,32})\.([0-9a-z]{1,11})$/.exec(part);
    if (match === null) return undefined;
    const [, epoch = '', digits = ''] = match;
    const position = Number.parseInt(digits, 36);
    // One position, one text: a text that does not come out again as it went in is not ours.
    if (!Number.isSafeInteger(position) || position.toString(36) !== digits) return undefined;
    cursors.push({ epoch, position });
  }
  return cursors;
}

/** The mark in a last event ID; `undefined` where it has none, or is not one of ours. */
export function markIn(lastEventId: string): string | undefined {
  return parseCursors(lastEventId) && MARK.exec(lastEventId)?.[1];
}

/** The cursors with this mark, and no other; without one where it would make them too long. */
export function withMark(cursors: string, mark: string): string {
  const plain = cursors.replace(MARK, '');
  const marked = `${plain}${CURSOR_SEPARATOR}s.${mark}`;
  return marked.length > MAX_CURSOR_LENGTH ? plain : marked;
}

/** Where a client stands in one hub, as one of its streams sees it. */
export interface ReaderPosition {
  readonly epoch: string;
  /** `undefined`: not known, so no cursor may be written. */
  readonly position: Position | undefined;
  /** Something is on its way to the client still; without that, the stream does not hold others of its hub back. */
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
  return cursors.length === 0 ? undefined : cursors.join(CURSOR_SEPARATOR);
}

/** The next position: the clock's, unless the clock stood still or went back. */
export function nextPosition(last: Position, clockMs: number): Position {
  // mutant: counter instead of clock
  return Math.max(last + 1, Math.floor(clockMs * 1000));
}
