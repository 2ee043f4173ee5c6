/** A kept event without its texts. */
export const EVENT_BYTES = 400;
/** An event in one of its rooms. */
export const ENTRY_BYTES = 100;
/** A room without its name. */
export const ROOM_BYTES = 250;
/** A key without its text. */
export const KEY_BYTES = 160;

/** Of a text: V8 takes one byte per character while all of them are Latin-1, else two for each. */
export function sizeOfText(text: string): number {
  return /[\u0100-\uffff]/.test(text) ? 2 * text.length : text.length;
}

/** The same text, in memory of its own: what was cut out of a longer one, such as a URL, keeps all of that alive. */
export function ownText(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string;
}
