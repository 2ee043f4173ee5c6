import { SseOptionsError } from '../ground/errors.js';
import type { LimitsOptions } from './connections.options.js';
import { addressOf, type HttpRequest } from '../output/request.js';

/** Which limit stands against a newcomer, and after how long it may not any more. */
export interface Refusal {
  readonly reason: 'process' | 'key' | 'rate';
  readonly waitMs: number;
}

interface Bucket {
  tokens: number;
  /** As `performance.now()`, when there were so many. */
  at: number;
}

/**
 * A key is remembered for as long as its connects count. Beyond this, the longest idle go first.
 */
const MAX_KEYS = 100_000;

/**
 * Who may open one more connection on this process. Asking and taking the slot are one synchronous
 * step, so that no two requests get the same last slot.
 */
export class Admission {
  private taken = 0;
  /** The key of each request that has a slot. */
  private readonly keys = new WeakMap<object, string>();
  /** Requests that are in without a slot. */
  private readonly uncounted = new WeakSet();
  private readonly byKey = new Map<string, number>();
  /** The longest idle first. */
  private readonly buckets = new Map<string, Bucket>();

  constructor(private readonly limits: LimitsOptions = {}) {}

  /** Takes a slot for the request, or says why there is none. */
  enter(request: HttpRequest, now = performance.now()): Refusal | undefined {
    const { maxConnections = Infinity, maxPerKey = Infinity, connectRate } = this.limits;
    if (this.taken >= maxConnections) return { reason: 'process', waitMs: 0 };
    if (maxPerKey < Infinity || connectRate !== undefined) {
      const key = this.limits.key?.(request) ?? addressOf(request);
      // As a promise is: each would be a key of its own, and the limit none.
      if (typeof key === 'object')
        throw new SseOptionsError('limits.key()', 'a string, not a promise of one', key);
      const ofKey = this.byKey.get(key) ?? 0;
      if (ofKey >= maxPerKey) return { reason: 'key', waitMs: 0 };
      const waitMs = this.takeToken(key, now);
      if (waitMs > 0) return { reason: 'rate', waitMs };
      this.keys.set(request, key);
      this.byKey.set(key, ofKey + 1);
    }
    this.taken++;
    return undefined;
  }

  /** Lets a request in whatever the limits are, without a slot. */
  enterUncounted(request: HttpRequest): void {
    this.uncounted.add(request);
  }

  /** Gives the slot back. */
  leave(request: HttpRequest): void {
    if (this.uncounted.has(request)) return;
    this.taken--;
    const key = this.keys.get(request);
    if (key === undefined) return;
    const rest = (this.byKey.get(key) ?? 0) - 1;
    if (rest > 0) this.byKey.set(key, rest);
    else this.byKey.delete(key);
  }

  /** Answers 0, or after how many milliseconds there is a token again. */
  private takeToken(key: string, now: number): number {
    const { connectRate } = this.limits;
    if (connectRate === undefined) return 0;
    const { perSecond, burst = Math.max(1, perSecond) } = connectRate;
    const { tokens: before, at } = this.buckets.get(key) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, before + ((now - at) * perSecond) / 1_000);
    this.forgetIdle(now - (burst / perSecond) * 1_000);
    if (tokens < 1) return ((1 - tokens) * 1_000) / perSecond;
    this.buckets.delete(key);
    this.buckets.set(key, { tokens: tokens - 1, at: now });
    return 0;
  }

  /** A bucket is full again after this long, and then says nothing more than none. */
  private forgetIdle(since: number): void {
    for (const [key, { at }] of this.buckets) {
      if (at > since && this.buckets.size < MAX_KEYS) return;
      this.buckets.delete(key);
    }
  }
}
