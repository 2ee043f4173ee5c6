const EVERY_MS = 1_000;

/** Runs a check soon after it is requested, but at most once per second. */
export class RareCheck {
  private checkedAt = -Infinity;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly check: () => void) {}

  soon(): void {
    if (this.timer !== undefined) return;
    const waitMs = Math.max(0, this.checkedAt + EVERY_MS - performance.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.checkedAt = performance.now();
      this.check();
    }, waitMs);
    this.timer.unref();
  }

  close(): void {
    clearTimeout(this.timer);
  }
}
