/** What the app that is fuzzed and its clients know of each other. */

/** What the app tells when it listens. */
export interface Ready {
  readonly port: number;
  /** Where its two hubs stood then. */
  readonly cursors: readonly string[];
}

/** What the app tells when it is asked. */
export interface State {
  readonly connections: number;
  /** That somebody reads. */
  readonly rooms: readonly string[];
  readonly heapBytes: number;
  /** Errors and warnings, the first ones. */
  readonly logged: readonly string[];
}

/** What is published all the time, and what names may mean elsewhere. */
export const PUBLISHED_ROOMS = [
  'a',
  'b',
  'a,b',
  'a~b',
  '*',
  ' ',
  '✓ é 😀',
  'NUL\0room',
  'two\nlines',
  'r'.repeat(256),
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
];

/** A room that no client asks for, and what its events say. */
export const SECRET_ROOM = 'the room that nobody may read';
export const SECRET = 'the-secret-of-the-room';

/** Text that becomes fields and events where line breaks are not kept apart. */
export const FORGERY =
  'x\nevent: forged\nid: forged\n\ndata: forged\r\rretry: 1\r\n\r\nevent: forged';
