import { parseLastEventId } from '../../wire/last-event-id.js';
import { compare, type Entry, type Place, type PlacedEntry } from './messages.js';

/** What a tab keeps for tabs that come back: at most this many events, and as much text. */
const MAX_KEPT = { entries: 1_000, length: 1_048_576 };

/** What a tab does with an event: take it, leave it, or ask for what it has missed before it. */
export type Verdict = 'take' | 'leave' | 'hole';

/** Events that a tab has already, of which the connection of a new leader may bring some again. */
interface Overlap {
  readonly ids: ReadonlySet<string>;
  readonly last: string;
  hasBegun: boolean;
}

/**
 * What one tab has heard of the shared stream. It decides which event is next, and what others have
 * missed.
 *
 * A leader may go on from a place that other tabs have passed. So the terms form a tree, and a log
 * is the one path in it from `floor` to `place`: two logs that both pass a place agree on
 * everything before it. What this tab took on a path that was left is not in its log. It comes
 * again in the new term, and `Overlap` says that this tab has it already.
 */
export class SharedLog {
  place: Place = { term: 0, n: 0 };
  /** The last event ID at `place`. The same for all tabs there, also for one that is ahead. */
  cursor: string | undefined;
  /** The highest term that was claimed. Events of earlier terms do not count. */
  fence = 0;
  private kept: PlacedEntry[] = [];
  private keptLength = 0;
  /** Everything after this place is kept. */
  private floor: Place = this.place;
  /** The cursor at `floor`. */
  private floorCursor: string | undefined;
  private overlap: Overlap | undefined;
  /** The last event of each term that this tab saw ending. Term 0 has no events. */
  private ends = new Map([[0, 0]]);

  /** Whether this tab has events of the shared stream from beyond `place`. */
  get isAhead(): boolean {
    return this.overlap !== undefined;
  }

  /**
   * Begins at the place and the cursor of another tab. `brought` is the cursor that this tab came
   * with. If that is further, for example from a page that the server has rendered, the events up
   * to it are left.
   */
  moveTo(place: Place, cursor: string | undefined, brought: string | undefined): void {
    this.place = place;
    this.cursor = cursor;
    this.fence = Math.max(this.fence, place.term);
    if (this.overlap || brought === undefined || cursor === undefined) return;
    if ((order(brought, cursor) ?? 0) > 0) {
      this.overlap = { ids: new Set(), last: brought, hasBegun: false };
    }
  }

  /** Begins at a place: whatever comes next is new. */
  begin(place: Place, cursor: string | undefined): void {
    this.forget(place, cursor);
    this.overlap = undefined;
  }

  /** Forgets the path so far, because what comes next does not follow it. */
  forget(place: Place, cursor: string | undefined): void {
    this.ends = new Map([[0, 0]]);
    this.kept = [];
    this.keptLength = 0;
    this.floor = place;
    this.floorCursor = cursor;
  }

  /**
   * A leader goes on after a place. Returns `false` if this log has not passed the place: then this
   * tab may lack events from before it, even if it has heard of a later term.
   */
  start(term: number, after: Place, cursor: string | undefined): boolean {
    if (!this.passes(after)) return false;
    const ids = this.after(after).flatMap(({ entry }) => entry.cursor ?? []);
    const last = this.overlap?.last ?? ids.at(-1) ?? this.cursorIfAfter(cursor);
    if (last !== undefined) {
      const all = new Set([...(this.overlap?.ids ?? []), ...ids]);
      this.overlap = { ids: all, last, hasBegun: false };
    }
    if (compare(after, this.floor) < 0) this.forget({ term, n: 0 }, cursor);
    else this.leaveAfter(after);
    this.fence = term;
    this.place = { term, n: 0 };
    this.cursor = cursor ?? this.cursor;
    return true;
  }

  /** Says what to do with an event of the leader. Keeps it for others even if this tab has it. */
  receive({ term, n }: Place, entry: Entry): Verdict {
    if (term < this.fence) return 'leave';
    this.fence = term;
    if (term !== this.place.term || n > this.place.n + 1) return 'hole';
    if (n <= this.place.n) return 'leave';
    this.place = { term, n };
    this.cursor = entry.cursor ?? this.cursor;
    this.keep({ place: this.place, entry });
    return this.repeats(entry) ? 'leave' : 'take';
  }

  keep(placed: PlacedEntry): void {
    const { text } = placed.entry;
    this.kept.push(placed);
    this.keptLength += text?.length ?? 0;
    while (this.kept.length > MAX_KEPT.entries || this.keptLength > MAX_KEPT.length) {
      const { place, entry } = this.kept.shift()!;
      this.keptLength -= entry.text?.length ?? 0;
      this.floor = place;
      this.floorCursor = entry.cursor ?? this.floorCursor;
    }
  }

  /** Whether this log has come by a place: then this tab has all events up to it. */
  passes({ term, n }: Place): boolean {
    return n <= (term === this.place.term ? this.place.n : (this.ends.get(term) ?? -1));
  }

  /** The events after a place; `undefined` if the place is not in this log. */
  since(place: Place): PlacedEntry[] | undefined {
    const isIn = this.passes(place) && compare(place, this.floor) >= 0;
    return isIn ? this.after(place) : undefined;
  }

  /** The events after the one with this id; `undefined` if some of them may not be kept. */
  sinceId(id: string): PlacedEntry[] | undefined {
    const { kept, floorCursor } = this;
    if (id === this.cursor) return [];
    const at = kept.map(({ entry }) => entry.cursor).lastIndexOf(id);
    if (at !== -1) return kept.slice(at + 1);
    if (id === floorCursor) return kept;
    // No kept event has it: it is the id of an event in another room, or of no event.
    const isUpTo = (cursor: string | undefined): boolean => (order(cursor ?? '', id) ?? 1) <= 0;
    const before = kept.map(({ entry }) => isUpTo(entry.cursor)).lastIndexOf(true);
    if (before !== -1) return kept.slice(before + 1);
    return isUpTo(floorCursor) ? kept : undefined;
  }

  /** A tab that began further on has no events to know the repeated ones by. */
  private cursorIfAfter(cursor: string | undefined): string | undefined {
    return (order(this.cursor ?? '', cursor ?? '') ?? 0) > 0 ? this.cursor : undefined;
  }

  /** Drops the end of the path, from which the others do not go on. */
  private leaveAfter(place: Place): void {
    const left = this.after(place);
    if (left.length > 0) this.kept = this.kept.slice(0, -left.length);
    for (const { entry } of left) this.keptLength -= entry.text?.length ?? 0;
    for (const term of this.ends.keys()) if (term > place.term) this.ends.delete(term);
    this.ends.set(place.term, place.n);
  }

  private after(place: Place): PlacedEntry[] {
    return this.kept.filter((kept) => compare(kept.place, place) > 0);
  }

  /** Whether this tab has the event, or one after it, from the leader before. */
  repeats({ type, text, cursor }: Entry): boolean {
    const { overlap } = this;
    if (overlap === undefined) return false;
    if (cursor === undefined && type !== 'sse-gap') return text === undefined;
    if (cursor === overlap.last) {
      this.overlap = undefined;
      return true;
    }
    // A gap: the server does not have them any more.
    const isOver = cursor === undefined || type === 'sse-gap' || this.isPast(cursor, overlap);
    if (isOver) this.overlap = undefined;
    return !isOver;
  }

  private isPast(id: string, overlap: Overlap): boolean {
    if (overlap.ids.has(id)) {
      overlap.hasBegun = true;
      return false;
    }
    const compared = order(id, overlap.last);
    // Ids of the app have no order: then the first unknown one behind known ones is new.
    return compared === undefined ? overlap.hasBegun : compared > 0;
  }
}

/** Compares ids of this library; `undefined` for other ids, and of different epochs. */
function order(a: string, b: string): number | undefined {
  const [one, other] = [a, b].map((id) => parseLastEventId(id).cursors);
  if (one?.length !== 1 || other?.length !== 1) return undefined;
  const [first, second] = [one[0]!, other[0]!];
  return first.epoch === second.epoch ? first.position - second.position : undefined;
}
