import type { InspectedNote } from './state.js';

export const MAX_NOTES = 50;
const MAX_TEXT_LENGTH = 200;

/**
 * The latest notes. A note that repeats is counted and moved to the end. It is not stored twice, so
 * it pushes out no other note.
 */
export class Notes {
  /** Oldest first. */
  private readonly notes = new Map<string, InspectedNote>();

  /** @param process the id of this process */
  constructor(private readonly process: string) {}

  add(
    kind: InspectedNote['kind'],
    fullText: string,
    connection: string | null = null,
    times = 1,
  ): void {
    const text = shortened(fullText);
    const key = JSON.stringify([kind, text, connection]);
    const before = this.notes.get(key)?.times ?? 0;
    this.notes.delete(key);
    const { process } = this;
    this.notes.set(key, { at: Date.now(), kind, text, connection, process, times: before + times });
    if (this.notes.size <= MAX_NOTES) return;
    for (const oldest of this.notes.keys()) {
      this.notes.delete(oldest);
      break;
    }
  }

  newestFirst(): InspectedNote[] {
    return [...this.notes.values()].reverse();
  }
}

/** Text from outside can have any length. */
export function shortened(text: string): string {
  return text.length <= MAX_TEXT_LENGTH ? text : `${text.slice(0, MAX_TEXT_LENGTH - 1)}…`;
}
