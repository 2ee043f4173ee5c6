/** How often to look for ends that this process does not know of, while it knows of any. */
const CHECK_MS = 5_000;
/** The pause after a call that failed. */
const RETRY_MS = 1_000;
/** Processes wait up to this long, at random, so that one of them writes most ends. */
const MAX_DELAY_MS = 100;

/**
 * Writes the ends of entries when they are due. Every process of the hub does, because the one that
 * set an entry may have died. Without entries that end, there is no timer.
 */
export class EntryEnds {
  private nextAt = Infinity;
  private timer: NodeJS.Timeout | undefined;
  private isRunning = false;
  private isClosed = false;

  constructor(
    /**
     * Writes those that are due; resolves with the milliseconds until the next, if there is one.
     */
    private readonly write: () => Promise<number | undefined>,
  ) {}

  /** An entry that this process has set ends in `ms` milliseconds. */
  in(ms: number): void {
    const at = performance.now() + ms;
    if (at >= this.nextAt) return;
    this.nextAt = at;
    if (!this.isRunning) this.wake();
  }

  /** An entry of any process ends in `ms` milliseconds. */
  heardOf(ms: number): void {
    this.in(ms + Math.random() * MAX_DELAY_MS);
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
  }

  private wake(): void {
    clearTimeout(this.timer);
    if (this.isClosed || this.nextAt === Infinity) return;
    const ms = Math.min(Math.max(0, this.nextAt - performance.now()), CHECK_MS);
    this.timer = setTimeout(() => void this.run(), ms);
    this.timer.unref();
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    this.nextAt = Infinity;
    try {
      const next = await this.write();
      // More are due than one script writes.
      if (next === 0) this.in(0);
      else if (next !== undefined) this.heardOf(next);
    } catch {
      this.heardOf(RETRY_MS);
    }
    this.isRunning = false;
    this.wake();
  }
}
