import type { Position } from '../wire/cursor.js';

const MAX_LENGTH = 2_000;

/** Cuts a text that would fill the page. */
export function shortened(text: string): string {
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH)}…`;
}

/** A position is based on the clock of the log, in microseconds. */
export function timeOf(position: Position): number {
  return Math.floor(position / 1_000);
}
