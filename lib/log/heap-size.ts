// The memory of each thing without its texts: bytes of V8's heap on Node 20, including the spare
// capacity of arrays and maps. `npm run bench -- memory` fills a log and compares: the real use is
// 0.85 to 1.1 times the counted one.

/** A kept event with its message and its slot in the list of events. Measured: 310. */
export const EVENT_BYTES = 350;
/** An event in one of its rooms. Measured: 80 to 100. */
export const ENTRY_BYTES = 100;
/** A room with its map entry, without its name. Measured: 200 to 240. */
export const ROOM_BYTES = 250;
/** An entry of a room with its event. Measured: 225 to 245. */
export const STATE_BYTES = 250;
/** The end of an entry: its place in the queue. Measured: 5 to 15. */
export const END_BYTES = 20;
/** A room that has entries, without its name. Measured: 60 with one entry, 160 with more. */
export const STATE_ROOM_BYTES = 100;
/** A key with its map entry, without its text. Measured: 130 to 155. */
export const KEY_BYTES = 160;

/** V8 stores one byte per character if all are Latin-1, otherwise two. */
export function sizeOfText(text: string): number {
  return /[\u0100-\uffff]/.test(text) ? 2 * text.length : text.length;
}

/**
 * Copies a text. V8 keeps a substring as a reference into the longer text, such as a URL, and so
 * keeps all of that in memory.
 */
export function ownText(text: string): string {
  return Buffer.from(text).toString();
}
