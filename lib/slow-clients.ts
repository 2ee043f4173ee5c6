import { parseCursors, type Cursor } from './cursor.js';

/** A client that is cut for slowness so often within so long is not sent its backlog again. */
const OFTEN = { times: 3, withinMs: 300_000 };

interface Cut {
  readonly times: readonly number[];
  /** What the client has read ends somewhere between these. */
  readonly from: Cursor | undefined;
  readonly to: Cursor | undefined;
}

/**
 * Clients that were cut because they took too little. Each time they come back, more has to be replayed; without an end
 * to that, a client that is only a little too slow would never see anything new. A client is known again by where it is
 * and by a last event ID between the first and the last that its cut connection was sent.
 */
export class SlowClients {
  private readonly cuts = new Map<string, Cut[]>();

  /** @param place the client's address, program and path */
  cut(place: string, lastEventId: string | undefined, sent: string | undefined, now: number): void {
    this.forget(now);
    const from = cursorOf(lastEventId);
    const before = this.find(place, from);
    const times = [...(before?.times ?? []), now].slice(-OFTEN.times);
    const others = (this.cuts.get(place) ?? []).filter((cut) => cut !== before);
    this.cuts.delete(place);
    this.cuts.set(place, [...others, { times, from, to: cursorOf(sent) ?? from }].slice(-100));
  }

  /** Whether the client that comes back with this last event ID has been cut often. */
  isOften(place: string, lastEventId: string | undefined, now: number): boolean {
    const times = this.find(place, cursorOf(lastEventId))?.times ?? [];
    return times.length === OFTEN.times && now - (times[0] ?? 0) < OFTEN.withinMs;
  }

  private find(place: string, cursor: Cursor | undefined): Cut | undefined {
    if (cursor === undefined) return undefined;
    // At most one of them is this client's: a cut replaces the one before it.
    return this.cuts
      .get(place)
      ?.find(
        ({ from, to }) =>
          to?.epoch === cursor.epoch &&
          cursor.position >= (from?.position ?? 0) &&
          cursor.position <= to.position,
      );
  }

  /** The map is in the order of the last cut. */
  private forget(now: number): void {
    for (const [place, cuts] of this.cuts) {
      const last = cuts.at(-1)?.times.at(-1) ?? 0;
      if (now - last < OFTEN.withinMs && this.cuts.size < 10_000) return;
      this.cuts.delete(place);
    }
  }
}

function cursorOf(lastEventId: string | undefined): Cursor | undefined {
  return lastEventId === undefined ? undefined : parseCursors(lastEventId)?.[0];
}
