/** The state of a connection that decides which task is due. Times are `performance.now()`. */
export interface ConnectionStatus {
  readonly isOpen: boolean;
  /** When the last write or drain happened. */
  readonly activeAt: number;
  /** When the client stopped reading; `undefined` while it reads. */
  readonly blockedAt: number | undefined;
  /** When the stream has to end. */
  readonly endsAt: number;
  /** When `authorize` was last called, and whether its answer is still pending. */
  readonly authorization: { readonly askedAt: number; readonly isAsking: boolean } | undefined;
  readonly keepAliveMs?: number | undefined;
  readonly stallTimeoutMs?: number | undefined;
}

/**
 * - `stall`: the client took nothing for too long.
 * - `duration`: the stream was open for long enough.
 * - `ask`: call `authorize`, and keep the stream alive if it agrees.
 * - `unanswered`: `authorize` did not answer in time.
 */
export type Task = 'stall' | 'duration' | 'keep-alive' | 'ask' | 'unanswered';

export interface Due {
  readonly task: Task | undefined;
  /** When to check again, unless something changes before. */
  readonly next: number;
}

/** How often `authorize` is called on a stream without keep-alives. */
export const ASK_AGAIN_MS = 15_000;

/** Decides what a connection needs now. Only decides: `attend()` does it. Ends have priority. */
export function whatIsDue(standing: ConnectionStatus, now: number): Due {
  const { isOpen, blockedAt, endsAt, stallTimeoutMs = Infinity, authorization } = standing;
  const stallsAt = blockedAt === undefined ? Infinity : blockedAt + stallTimeoutMs;
  if (now >= stallsAt) return { task: 'stall', next: Infinity };
  if (!isOpen) return { task: undefined, next: stallsAt };
  if (now >= endsAt) return { task: 'duration', next: Infinity };
  const { task, next } =
    authorization === undefined
      ? keepingAlive(standing, now)
      : asking(standing, authorization, now);
  return { task, next: Math.min(next, endsAt, stallsAt) };
}

/** While a client takes nothing, its keep-alive is put off. */
function keepAliveAt(
  { activeAt, blockedAt, keepAliveMs = Infinity }: ConnectionStatus,
  now: number,
) {
  return (blockedAt === undefined ? activeAt : now) + keepAliveMs;
}

function keepingAlive(standing: ConnectionStatus, now: number): Due {
  const dueAt = keepAliveAt(standing, now);
  if (now < dueAt) return { task: undefined, next: dueAt };
  return { task: 'keep-alive', next: now + (standing.keepAliveMs ?? Infinity) };
}

/**
 * Calls `authorize` once per interval, also while events flow, and before each keep-alive: that
 * carries a cursor, which a revoked client must not get.
 */
function asking(
  standing: ConnectionStatus,
  { askedAt, isAsking }: NonNullable<ConnectionStatus['authorization']>,
  now: number,
): Due {
  const { keepAliveMs = ASK_AGAIN_MS } = standing;
  const askAt = askedAt + keepAliveMs;
  if (isAsking) {
    return now < askAt ? { task: undefined, next: askAt } : { task: 'unanswered', next: Infinity };
  }
  const aliveAt = keepAliveAt(standing, now);
  const dueAt = Math.min(askAt, aliveAt);
  if (now < dueAt) return { task: undefined, next: dueAt };
  return { task: 'ask', next: Math.min(now + keepAliveMs, aliveAt > now ? aliveAt : Infinity) };
}
