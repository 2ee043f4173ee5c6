import { MAX_TIMER_MS } from './timers.js';

/** The passing of time, which tests replace. Setting the system clock has no effect on it. */
export interface Time {
  /** Milliseconds since some moment. */
  now(): number;
  /** Calls later. Returns a function that cancels the call. Does not keep the process alive. */
  after(ms: number, call: () => void): () => void;
  /** From 0 up to, and without, 1. */
  random(): number;
}

/** The time of this process. */
export const REAL_TIME: Time = {
  now: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, Math.min(ms, MAX_TIMER_MS)).unref();
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
