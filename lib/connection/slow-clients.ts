/** A client that was cut this often within this time gets a gap instead of a replay. */
const OFTEN = { times: 3, withinMs: 300_000 };

/** The most marks that are remembered. */
const MAX_MARKS = 10_000;

/**
 * Clients that were disconnected for slowness. Each return needs a longer replay, so a client that
 * is only a little too slow would never reach new events. Such a client is identified only by a
 * random mark that the server put into its event ids. A client without a mark is never treated as
 * slow.
 */
export class SlowClients {
  /** When each was cut, as `performance.now()`. Ordered by the last cut. */
  private readonly cuts = new Map<string, readonly number[]>();

  get size(): number {
    return this.cuts.size;
  }

  cut(mark: string, now: number): void {
    const times = [...(this.cuts.get(mark) ?? []), now].slice(-OFTEN.times);
    this.cuts.delete(mark);
    this.forget(now);
    this.cuts.set(mark, times);
  }

  /** Whether the client with this mark was cut recently. */
  knows(mark: string, now: number): boolean {
    const last = this.cuts.get(mark)?.at(-1);
    return last !== undefined && isRecent(last, now);
  }

  /** Whether the client with this mark was cut so often that it gets no more replays. */
  isOften(mark: string, now: number): boolean {
    const [first, ...others] = this.cuts.get(mark) ?? [];
    return first !== undefined && others.length === OFTEN.times - 1 && isRecent(first, now);
  }

  private forget(now: number): void {
    for (const [mark, times] of this.cuts) {
      if (isRecent(times.at(-1) ?? 0, now) && this.cuts.size < MAX_MARKS) return;
      this.cuts.delete(mark);
    }
  }
}

function isRecent(time: number, now: number): boolean {
  return now - time < OFTEN.withinMs;
}
