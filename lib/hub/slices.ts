import type { Stream } from '../connection/stream.js';
import type { CatchingUp } from './catching-up.js';

/** After this many items or bytes, a replay or snapshot pauses until the client has read them. */
export const REPLAY_SLICE = { items: 64, bytes: 65_536 };

export function sliceBytes(connection: Stream | undefined): number {
  return Math.min(REPLAY_SLICE.bytes, (connection?.settings.maxBufferedBytes ?? Infinity) / 2);
}

/** Never sends more than the client takes: its own replay must not count as slowness. */
export async function inSlices<T>(
  stream: CatchingUp,
  items: readonly T[],
  give: (item: T) => void,
): Promise<void> {
  const { connection } = stream;
  const bytes = sliceBytes(connection);
  for (const [n, item] of items.entries()) {
    if (stream.hasEnded) return;
    give(item);
    // A short replay is written together with what follows.
    const isLastOfMany =
      n + 1 === items.length && (n >= REPLAY_SLICE.items || connection?.isBlocked === true);
    const isFull = (n + 1) % REPLAY_SLICE.items === 0 || isLastOfMany;
    // It rejects only when the connection has ended. The subscription has then ended, too.
    if (isFull || (connection?.bufferedBytes ?? 0) >= bytes)
      await connection?.written().catch(() => {});
  }
}
