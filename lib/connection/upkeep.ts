/** How it stands with a connection. Times are as `performance.now()`. */
export interface Standing {
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
 * `stall`: the client took nothing for too long. `duration`: it was open for long enough. `ask`: whether it may still be read, and if
 * so keep it alive. `unanswered`: that was asked, and nobody answered.
 */
export type Task = 'stall' | 'duration' | 'keep-alive' | 'ask' | 'unanswered';

export interface Due {
  readonly task: Task | undefined;
  /** When to look again, if the connection stands as it does. */
  readonly next: number;
}

/** Where there are no keep-alives: how often it is asked whether a client may still read. */
export const ASK_AGAIN_MS = 15_000;

/** What has to be done for a connection now. Ends go first. */
export function whatIsDue(standing: Standing, now: number): Due {
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
function keepAliveAt({ activeAt, blockedAt, keepAliveMs = Infinity }: Standing, now: number) {
  return (blockedAt === undefined ? activeAt : now) + keepAliveMs;
}

function keepingAlive(standing: Standing, now: number): Due {
  const dueAt = keepAliveAt(standing, now);
  if (now < dueAt) return { task: undefined, next: dueAt };
  return { task: 'keep-alive', next: now + (standing.keepAliveMs ?? Infinity) };
}

/** It is asked at each interval, also while events come, and before a keep-alive: that would tell where the stream stands. */
function asking(
  standing: Standing,
  { askedAt, isAsking }: NonNullable<Standing['authorization']>,
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
