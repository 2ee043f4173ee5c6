/**
 * The sequence number of an event in a hub: strictly increasing, never reused. It is based on the
 * log's clock in microseconds, so that a log that lost writes does not issue a number twice.
 */
export type Position = number;

/**
 * The position of a client in one hub. Its text is the id of an event, which a returning client
 * sends as `Last-Event-ID`.
 * @publicApi
 */
export interface Cursor {
  /** The lifetime of the log's store. Positions of different epochs cannot be compared. */
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
