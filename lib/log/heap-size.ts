// Beside the texts, in bytes of V8's heap on Node 20, with the room that its arrays and maps have
// to spare. Measured by `npm run bench -- memory`, which fills a log and compares: what is taken is
// 0.85 to 1.1 times what is counted.

/** A kept event: itself, its message, its place among all. Measured: 310. */
export const EVENT_BYTES = 350;
/** An event in one of its rooms. Measured: 80 to 100. */
export const ENTRY_BYTES = 100;
/** A room without its name, with its place in the map. Measured: 200 to 240. */
export const ROOM_BYTES = 250;
/** A key without its text, with its place in the map. Measured: 130 to 155. */
export const KEY_BYTES = 160;

/** Of a text: V8 takes one byte per character while all of them are Latin-1, else two for each. */
export function sizeOfText(text: string): number {
  return /[\u0100-\uffff]/.test(text) ? 2 * text.length : text.length;
}

/**
 * The same text, in memory of its own: what was cut out of a longer one, such as a URL, keeps all
 * of that alive.
 */
export function ownText(text: string): string {
  return Buffer.from(text).toString();
}
