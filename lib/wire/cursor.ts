/**
 * The sequence number of a hub's event: strictly increasing, never reused. It counts microseconds
 * of the log's clock, so a log that lost writes does not assign the same position twice.
 */
export type Position = number;

/**
 * A client's position in one hub. Its text is the id of a hub's event, and so a `Last-Event-ID`.
 * @publicApi
 */
export interface Cursor {
  /** One lifetime of a log's store. Positions of different epochs cannot be compared. */
  readonly epoch: string;
  readonly position: Position;
}

const VERSION = '1';

/** Formats it as `1.<epoch>.<position in base 36>`. */
export function formatCursor({ epoch, position }: Cursor): string {
  return `${VERSION}.${epoch}.${position.toString(36)}`;
}

/** Returns the cursor of one hub, or `undefined` for any other text. Never throws. */
export function parseCursor(text: string): Cursor | undefined {
  const match = /^1\.([A-Za-z0-9_-]{1,32})\.([0-9a-z]{1,11})$/.exec(text);
  if (match === null) return undefined;
  const [, epoch = '', digits = ''] = match;
  const position = Number.parseInt(digits, 36);
  // Each position has exactly one text, so a text that does not round-trip is not ours.
  if (!Number.isSafeInteger(position) || position.toString(36) !== digits) return undefined;
  return { epoch, position };
}

/** The time of the clock, or `last + 1` if the clock stood still or went back. */
export function nextPosition(last: Position, clockMs: number): Position {
  // mutant: counter instead of clock
  return Math.max(last + 1, Math.floor(clockMs * 1000));
}
