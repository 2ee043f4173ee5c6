import { AsyncLocalStorage } from 'node:async_hooks';

/** A connection that writes at most once per window. */
export interface Windowed {
  /** Writes what is collected, if it is still this window that it is collected for. */
  endWindow(window: FlushWindow): void;
}

const outside = AsyncLocalStorage.snapshot();

/**
 * The time after a write in which new events wait. Connections that wrote in the same millisecond
 * share it, so that they write together again: one timer, and one buffer if they have the same
 * events.
 */
export class FlushWindow {
  private waiting: Windowed[] | undefined;

  /** @param endsAt as `performance.now()` */
  constructor(readonly endsAt: number) {}

  /** Returns false if the window is over: then nothing has to wait. */
  add(one: Windowed): boolean {
    if (this.waiting !== undefined) {
      this.waiting.push(one);
      return true;
    }
    const left = this.endsAt - performance.now();
    if (left <= 0) return false;
    this.waiting = [one];
    // Inside, the timer would keep the app's stores in memory.
    outside(() => setTimeout(this.end, Math.ceil(left))).unref();
    return true;
  }

  private readonly end = (): void => {
    const { waiting = [] } = this;
    this.waiting = undefined;
    for (const one of waiting) one.endWindow(this);
  };
}
