import { Batch } from '../output/batch.js';
import type { RoomEntry } from '../log/event-log.js';

type Missed = RoomEntry['event'];

interface Replay {
  readonly events: readonly Missed[];
  readonly batch: Batch;
}

/**
 * The text of missed events. When many clients return at once, most readers of a room missed the
 * same events, and share one text. Held weakly, so that no wire text stays in memory for clients
 * that may never return.
 */
export class Replays {
  /** The newest with each first event. */
  private readonly recent = new WeakMap<Missed, WeakRef<Replay>>();

  constructor(private readonly frameOf: (event: Missed) => string) {}

  batchOf(events: readonly Missed[]): Batch {
    const [first] = events;
    const known = first && this.recent.get(first)?.deref();
    // mutant: who missed other events gets those of another client
    if (known !== undefined && areSame(known.events, events)) {
      known.batch.readers++;
      return known.batch;
    }
    const batch = Batch.of(events.map(this.frameOf).join(''), events.length);
    if (first !== undefined) this.recent.set(first, new WeakRef({ events, batch }));
    return batch;
  }
}

function areSame(some: readonly Missed[], others: readonly Missed[]): boolean {
  return some.length === others.length && some.every((event, n) => event === others[n]);
}
