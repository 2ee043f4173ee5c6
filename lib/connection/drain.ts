/**
 * The longest pause between the ends of two streams. It ends at least 100 streams a second; that
 * many clients can reconnect without overloading a server.
 */
const MAX_GAP_MS = 10;

/** The open streams of a drain. */
interface Drained<T> {
  list(): T[];
  readonly count: number;
}

/**
 * Ends streams one after the other in random order, within `windowMs`, so that their clients do not
 * all reconnect at once.
 */
export async function endInTurn<T>(
  streams: Drained<T>,
  windowMs: number,
  end: (stream: T) => void,
): Promise<void> {
  const order = shuffled(streams.list());
  const gapMs = Math.min(MAX_GAP_MS, windowMs / order.length);
  const begunAt = performance.now();
  // Clients may leave during the drain, so it stops as soon as none is left.
  for (let ended = 0; ended < order.length && streams.count > 0;) {
    const due = gapMs === 0 ? Infinity : 1 + Math.floor((performance.now() - begunAt) / gapMs);
    for (const stream of order.slice(ended, due)) end(stream);
    ended = due;
    if (ended < order.length) await new Promise((resolve) => setTimeout(resolve, gapMs));
  }
}

function shuffled<T>(list: T[]): T[] {
  for (let n = list.length - 1; n > 0; n--) {
    const other = Math.floor(Math.random() * (n + 1));
    [list[n], list[other]] = [list[other] as T, list[n] as T];
  }
  return list;
}
