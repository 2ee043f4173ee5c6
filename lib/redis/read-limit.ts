import { CALL_TIMEOUT_MS } from './client.js';
import { unavailable, within } from './waits.js';

/** At most this many client reads run at the same time, because each reply may be large. */
const MAX_READS = 16;

/** Limits the reads for clients of one log. */
export class ReadLimit {
  private reads = 0;
  private readonly waiting = new Set<() => void>();

  /**
   * Runs `read` when its turn comes, with the time that is left for it in milliseconds.
   * @throws SseError `SSE_LOG_UNAVAILABLE` if its turn does not come within 2 s
   */
  async run<T>(read: (timeoutMs: number) => Promise<T>): Promise<T> {
    const deadline = performance.now() + CALL_TIMEOUT_MS;
    if (this.reads >= MAX_READS) {
      await within(CALL_TIMEOUT_MS, (go) => {
        this.waiting.add(go);
        return () => this.waiting.delete(go);
      }).catch(() => Promise.reject(unavailable('too many reads before it')));
    }
    this.reads++;
    try {
      return await read(deadline - performance.now());
    } finally {
      this.reads--;
      const [next] = this.waiting;
      next?.();
    }
  }
}
