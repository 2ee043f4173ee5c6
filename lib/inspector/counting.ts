import type { SseConnection } from '../connection/sse-connection.js';
import { Traffic } from './traffic.js';

const INTERVAL_MS = 1_000;
/**
 * Counting stops if no page of another process has asked for this long. Open pages ask more often.
 */
const LEASE_MS = 7_000;

/** Counts the traffic while a page looks at this process, here or from another process. */
export class Counting {
  private counted: Traffic | undefined;
  private holders = 0;
  private timer: NodeJS.Timeout | undefined;
  private lease: NodeJS.Timeout | undefined;

  /** @param isOwn whether a connection is the inspector's */
  constructor(private readonly isOwn: (connection: SseConnection) => boolean) {}

  /** `undefined` while no page is open. */
  get traffic(): Traffic | undefined {
    return this.counted;
  }

  /** Counts until the returned function is called. */
  hold(): () => void {
    this.holders++;
    this.begin();
    return () => {
      this.holders--;
      this.endUnlessHeld();
    };
  }

  /** For a page of another process, which cannot say when it is closed. */
  renew(): void {
    clearTimeout(this.lease);
    this.lease = setTimeout(() => {
      this.lease = undefined;
      this.endUnlessHeld();
    }, LEASE_MS).unref();
    this.begin();
  }

  stop(): void {
    clearTimeout(this.lease);
    this.lease = undefined;
    this.holders = 0;
    this.endUnlessHeld();
  }

  private begin(): void {
    if (this.counted !== undefined) return;
    const traffic = (this.counted = new Traffic(this.isOwn));
    this.timer = setInterval(() => traffic.nextInterval(), INTERVAL_MS).unref();
  }

  private endUnlessHeld(): void {
    if (this.holders > 0 || this.lease !== undefined) return;
    clearInterval(this.timer);
    this.counted?.stop();
    this.counted = undefined;
  }
}
