/** A client that was cut this often within this time is not sent its backlog again. */
const OFTEN = { times: 3, withinMs: 300_000 };

/** More marks than this are not remembered. */
const MAX_MARKS = 10_000;

/**
 * Clients that were cut because they took too little. Each time they come back, more has to be
 * replayed; without an end to that, a client that is only a little too slow would never see
 * anything new. Such a client is known by a random mark that the server has put into its event ids,
 * and by nothing else: whoever brings no mark is never taken for a slow client.
 */
export class SlowClients {
  /** When each was cut, in the order of the last cut. Times are as `performance.now()`. */
  private readonly cuts = new Map<string, readonly number[]>();

  /** How many marks are remembered. */
  get size(): number {
    return this.cuts.size;
  }

  cut(mark: string, now: number): void {
    const times = [...(this.cuts.get(mark) ?? []), now].slice(-OFTEN.times);
    this.cuts.delete(mark);
    this.forget(now);
    this.cuts.set(mark, times);
  }

  /** Whether the client with this mark was cut lately. */
  knows(mark: string, now: number): boolean {
    const last = this.cuts.get(mark)?.at(-1);
    return last !== undefined && isRecent(last, now);
  }

  /** Whether the client with this mark was cut so often that it is not sent its backlog again. */
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
