import { SseOptionsError } from '../ground/errors.js';
import type { LimitsOptions } from './connections.options.js';
import { addressOf, type HttpRequest } from '../output/request.js';

/** The limit that a new connection exceeds, and how long it should wait before it retries. */
export interface Refusal {
  readonly reason: 'process' | 'key' | 'rate';
  readonly waitMs: number;
}

interface Bucket {
  tokens: number;
  /** The time of `tokens`, as `performance.now()`. */
  at: number;
}

/** The most keys whose connects are remembered. Beyond it, the longest idle ones are forgotten. */
const MAX_KEYS = 100_000;

/**
 * Decides whether this process takes one more connection. Checking and taking the slot are one
 * synchronous step, so that two requests cannot get the same last slot.
 */
export class Admission {
  private taken = 0;
  /** The key of each request that has a slot. */
  private readonly keys = new WeakMap<object, string>();
  /** Requests that were admitted without a slot. */
  private readonly uncounted = new WeakSet();
  private readonly byKey = new Map<string, number>();
  /** Longest idle first. */
  private readonly buckets = new Map<string, Bucket>();

  constructor(private readonly limits: LimitsOptions = {}) {}

  /** Takes a slot for the request, or returns why there is none. */
  enter(request: HttpRequest, now = performance.now()): Refusal | undefined {
    const { maxConnections = Infinity, maxPerKey = Infinity, connectRate } = this.limits;
    if (this.taken >= maxConnections) return { reason: 'process', waitMs: 0 };
    if (maxPerKey < Infinity || connectRate !== undefined) {
      const key = this.limits.key?.(request) ?? addressOf(request);
      // A promise, for example. Each would be a key of its own, so the limit would never apply.
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

  /** Admits a request without a slot, whatever the limits are. */
  enterUncounted(request: HttpRequest): void {
    this.uncounted.add(request);
  }

  /** Frees the slot. */
  leave(request: HttpRequest): void {
    if (this.uncounted.has(request)) return;
    this.taken--;
    const key = this.keys.get(request);
    if (key === undefined) return;
    const rest = (this.byKey.get(key) ?? 0) - 1;
    if (rest > 0) this.byKey.set(key, rest);
    else this.byKey.delete(key);
  }

  /** Takes a token and returns 0, or returns the milliseconds until there is one. */
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

  /** After this time without a connect, a bucket is full again and equals a new one. */
  private forgetIdle(since: number): void {
    for (const [key, { at }] of this.buckets) {
      if (at > since && this.buckets.size < MAX_KEYS) return;
      this.buckets.delete(key);
    }
  }
}
