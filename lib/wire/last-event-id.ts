import { formatCursor, parseCursor, type Cursor, type Position } from './cursor.js';

/** This library issues no longer ids. It does not parse longer ones, so they cost little. */
export const MAX_LAST_EVENT_ID_LENGTH = 128;

/** A longer prefix would leave no room for the cursors of two hubs and a mark. */
export const MAX_ID_PREFIX_LENGTH = 64;

/** Separates the cursors of several hubs. */
const SEPARATOR = '~';

/** The mark of a slow client, the last part of its last event ID; see `SlowClients`. */
const MARK = /~s\.([A-Za-z0-9_-]{8})$/;

/** After the cursors: rooms that join, those that are covered, the last gap, the key, the mark. */
const TAIL =
  /((?:~n\.([\w-]{1,32}\.[0-9a-z]{1,11}\.[\w-]{8}))?(?:~r\.([\w-]{0,40}))?(?:~g\.([0-9a-z]{1,11}))?(?:~([jk])\.([\w-]{16}))?)(?:~s\.[\w-]{8})?$/;

/** What a last event ID may say after the cursors, beside the mark. */
export interface IdTail {
  /** Rooms that were still catching up: they, and no others, resume at their own cursor. */
  readonly joining?: { readonly cursor: Cursor; readonly cover: string } | undefined;
  /** The rooms that the cursors are about, as `coverOf()` writes them. */
  readonly cover?: string | undefined;
  /**
   * Up to here, these rooms may have lost events, as the client was told. Absent if they did not.
   */
  readonly lostUpTo?: Position | undefined;
  /** Under this key, the log has the rooms of a stream whose rooms can change. */
  readonly key?: string | undefined;
  /** Whether they have changed since the stream was first opened: only then the log has them. */
  readonly hasChanged?: boolean;
}

/** A client that sent a last event ID. Its text is parsed once, where the request comes in. */
export interface ReturningClient {
  /** The last event ID as the client sent it. */
  readonly text: string;
  /** The client's position in each hub that it read. Empty if the text is not one of ours. */
  readonly cursors: readonly Cursor[];
  /** Identifies a client that was disconnected because it was too slow. */
  readonly mark: string | undefined;
  readonly tail?: IdTail | undefined;
}

const NOT_OURS: readonly Cursor[] = [];

/** Accepts any text. Never throws. */
export function parseLastEventId(text: string): ReturningClient {
  if (text.length > MAX_LAST_EVENT_ID_LENGTH) return { text, cursors: NOT_OURS, mark: undefined };
  if (!text.includes(SEPARATOR)) return { text, cursors: parseCursors(text), mark: undefined };
  const mark = MARK.exec(text);
  const [all = '', own = '', joining, cover, lost, how, key] = TAIL.exec(text) ?? [];
  const cursors = parseCursors(text.slice(0, text.length - all.length));
  if (cursors === NOT_OURS) return { text, cursors, mark: undefined };
  if (own === '') return { text, cursors, mark: mark?.[1] };
  // Of any epoch: positions are based on the clock.
  const lostUpTo = lost === undefined ? undefined : parseCursor(`1.x.${lost}`)?.position;
  const tail = { joining: parseJoining(joining), cover, lostUpTo, key, hasChanged: how === 'k' };
  return { text, cursors, mark: mark?.[1], tail };
}

/**
 * The same for a client whose ids begin with a prefix of the app. An id without it is not ours,
 * even if the rest is a cursor: it may be of another stream. Beside the mark it says nothing more.
 */
export function parsePrefixed(text: string, prefix: string): ReturningClient {
  const isOurs = text.startsWith(prefix) && text.length <= MAX_LAST_EVENT_ID_LENGTH;
  if (!isOurs) return { text, cursors: NOT_OURS, mark: undefined };
  const { cursors, mark } = parseLastEventId(text.slice(prefix.length));
  return { text, cursors, mark };
}

function parseJoining(text: string | undefined): IdTail['joining'] {
  const [epoch = '', digits = '', cover = ''] = text?.split('.') ?? [];
  const cursor = parseCursor(`1.${epoch}.${digits}`);
  return cursor && { cursor, cover };
}

/** Writes a tail as it follows the cursors. */
export function formatTail({ joining, cover, lostUpTo, key, hasChanged }: IdTail): string {
  let text = '';
  if (joining !== undefined) text += `~n.${formatCursor(joining.cursor).slice(2)}.${joining.cover}`;
  if (cover !== undefined) text += `~r.${cover}`;
  if (lostUpTo !== undefined) text += `~g.${lostUpTo.toString(36)}`;
  if (key !== undefined) text += `~${hasChanged === true ? 'k' : 'j'}.${key}`;
  return text;
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
