/** The state of a connection that its upkeep depends on. Times are as `performance.now()`. */
export interface ConnectionStatus {
  readonly isOpen: boolean;
  /** When the last write or drain was. */
  readonly activeAt: number;
  /** Since when its client takes nothing. */
  readonly blockedAt: number | undefined;
  /** When it is to end. */
  readonly endsAt: number;
  /** Whether it may still be read: when that was asked last, and whether it is being asked. */
  readonly authorization: { readonly askedAt: number; readonly isAsking: boolean } | undefined;
  readonly keepAliveMs?: number | undefined;
  readonly stallTimeoutMs?: number | undefined;
}

/**
 * - `stall`: the client took nothing for too long.
 * - `duration`: the stream was open for long enough.
 * - `ask`: ask whether the client may still read, and if so keep the stream alive.
 * - `unanswered`: that was asked, and nobody answered.
 */
export type Task = 'stall' | 'duration' | 'keep-alive' | 'ask' | 'unanswered';

export interface Due {
  readonly task: Task | undefined;
  /** When to check again, if nothing changes until then. */
  readonly next: number;
}

/** Where there are no keep-alives: how often it is asked whether a client may still read. */
export const ASK_AGAIN_MS = 15_000;

/** What has to be done for a connection now. Ends go first. */
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

/** A client that takes nothing gets no keep-alive. */
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
 * It is asked at each interval, also while events come, and before a keep-alive: that would tell
 * where the stream stands.
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
