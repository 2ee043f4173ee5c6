import { formatCursor, parseCursor, type Cursor } from '../wire/cursor.js';

/** What an id of an event names: where a client is in one stream of its session. */
export interface Place {
  readonly stream: string;
  readonly cursor: Cursor;
}

/** The stream that a GET opens, as the SDK names it. */
export const GET_STREAM = '_GET_stream';

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/**
 * Formats the id of an event as `<stream>~<cursor>`. The stream is `g`, `u` with the bytes of a
 * UUID, or `s` with any other text, so that the id fits a header and a line of the event stream.
 */
export function formatEventId(stream: string, cursor: string): string {
  return `${shortened(stream)}~${cursor}`;
}

/** Returns what an id names, or `undefined` for any other text. Never throws. */
export function parseEventId(id: string): Place | undefined {
  const [name = '', text = '', more] = id.split('~');
  const cursor = parseCursor(text);
  if (cursor === undefined || more !== undefined) return undefined;
  const stream = lengthened(name);
  // Each stream has exactly one text, so a text that does not round-trip is not ours.
  if (stream === undefined || shortened(stream) !== name) return undefined;
  return { stream, cursor };
}

/** The cursor of the place before it, after which the event itself comes first. */
export function cursorBefore({ cursor }: Place): string {
  return formatCursor({ ...cursor, position: cursor.position - 1 });
}

function shortened(stream: string): string {
  if (stream === GET_STREAM) return 'g';
  if (!UUID.test(stream)) return `s${Buffer.from(stream).toString('base64url')}`;
  return `u${Buffer.from(stream.replaceAll('-', ''), 'hex').toString('base64url')}`;
}

function lengthened(name: string): string | undefined {
  const bytes = Buffer.from(name.slice(1), 'base64url');
  switch (name[0]) {
    case 'g':
      return GET_STREAM;
    case 's':
      return bytes.toString();
    case 'u':
      return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.*)$/, '$1-$2-$3-$4-$5');
    default:
      return undefined;
  }
}
