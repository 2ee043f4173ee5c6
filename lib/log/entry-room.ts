import type { Position } from '../wire/cursor.js';

/**
 * The entries of one room in a log in memory, in the order in which they were added. Many rooms
 * have a single one, such as those of runs that have ended: they do without a map.
 */
export class EntryRoom<Entry extends { readonly key: string }> {
  private entries: Entry | Map<string, Entry> | undefined;

  constructor(
    /** Whether events of the room are known that changed no entry. */
    public hasPlain: boolean,
    /** The position of the newest such event, or the highest that it can have had. */
    public lastPlain: Position,
  ) {}

  get size(): number {
    const { entries } = this;
    if (entries instanceof Map) return entries.size;
    return entries === undefined ? 0 : 1;
  }

  get(key: string): Entry | undefined {
    const { entries } = this;
    if (entries instanceof Map) return entries.get(key);
    return entries?.key === key ? entries : undefined;
  }

  /** Adds an entry, whose key has none. */
  add(entry: Entry): void {
    const { entries } = this;
    if (entries === undefined) this.entries = entry;
    else if (entries instanceof Map) entries.set(entry.key, entry);
    else this.entries = new Map([entries, entry].map((each) => [each.key, each]));
  }

  delete(key: string): void {
    const { entries } = this;
    if (entries instanceof Map) entries.delete(key);
    else if (entries?.key === key) this.entries = undefined;
  }

  values(): Iterable<Entry> {
    const { entries } = this;
    if (entries instanceof Map) return entries.values();
    return entries === undefined ? [] : [entries];
  }
}
