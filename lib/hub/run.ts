import { Batch } from '../output/batch.js';
import type { HubEvent } from '../log/event.js';
import type { Position } from '../wire/cursor.js';

/** Some events of a run, as a reader takes them. */
export interface Taken {
  readonly batch: Batch | undefined;
  /** The position of the last one that has one. */
  readonly position: Position | undefined;
}

/**
 * Events of one room that go to its direct readers as one: a reader enters with the first event of
 * its turn, and takes what came since when the turn ends, or before anything else is written to it.
 * The run grows without touching its readers, and ends with the last of them.
 */
export class Run {
  /** How many readers have not taken their part yet. */
  readers = 0;
  private readonly events: HubEvent[] = [];
  private bytes = 0;
  /** At this size one of the readers has to write. */
  private limit = Infinity;
  /** Readers that entered with the same event begin with the same batch, and share what follows. */
  private from = 0;
  private root = new Batch();
  /** All events since, as they were last taken. */
  private taken: Taken = NOTHING;
  private to = 0;

  constructor(private readonly onEmpty: (run: Run) => void) {}

  /** Whether the next event has to begin another run. */
  get isFull(): boolean {
    return this.bytes >= this.limit;
  }

  add(event: HubEvent): void {
    this.bytes += Buffer.byteLength(event.frame);
    this.events.push(event);
  }

  /**
   * A reader that can collect this many bytes enters before the next event.
   * @returns the index of that event
   */
  enter(room: number): number {
    this.readers++;
    this.limit = Math.min(this.limit, this.bytes + room);
    return this.events.length;
  }

  leave(): void {
    if (--this.readers === 0) this.onEmpty(this);
  }

  /** All events from an index on. Without a walk over them, which would cost as much as writing. */
  all(from: number): Taken {
    if (this.from !== from || this.to !== this.events.length) {
      this.taken = this.some(undefined, from, () => true);
      this.to = this.events.length;
    }
    return this.taken;
  }

  /** Those that the reader wants, after what its batch holds already. */
  some(
    batch: Batch | undefined,
    from: number,
    wants: (event: HubEvent) => boolean,
    hasIds = true,
  ): Taken {
    if (this.from !== from) {
      this.from = from;
      this.root = new Batch();
      this.to = 0;
    }
    let taken = batch;
    let last: Position | undefined;
    for (const event of this.events.slice(from)) {
      if (!wants(event)) continue;
      const { frame, position = last } = hasIds ? event : event.withoutId;
      taken = (taken ?? this.root).append(frame, true);
      last = position;
    }
    // Those who take later share it. Compression has to know before the first one writes.
    if (batch === undefined && taken !== undefined)
      taken.readers = Math.max(taken.readers, this.readers);
    return { batch: taken, position: last };
  }
}

const NOTHING: Taken = { batch: undefined, position: undefined };
