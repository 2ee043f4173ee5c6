import { messageOf } from './client-error.js';
import type { CursorStorage } from './connect.options.js';

/**
 * The page may be frozen or discarded after these events, before a timer fires.
 * `visibilitychange` fires on the document and bubbles up to the window.
 */
const LEAVING = ['pagehide', 'visibilitychange'];

/** Keeps the last event ID in the app's storage. A failing storage is reported once. */
export class CursorStore {
  private pending: string | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private hasWarned = false;

  constructor(
    private readonly storage: CursorStorage,
    url: string | URL,
    private readonly key = `nestjs-eventstream:${String(url)}`,
  ) {}

  read(): string | undefined {
    try {
      return this.storage.getItem(this.key) ?? undefined;
    } catch (error) {
      this.warn('getItem', error);
      return undefined;
    }
  }

  /** Writes it at the end of the turn, because storage is slow and events come in batches. */
  keep(id: string): void {
    this.pending = id;
    if (this.timer !== undefined) return;
    this.timer = setTimeout(this.flush);
    // Only browsers have pages. Added on demand: a permanent listener would run before the app's.
    for (const type of LEAVING) globalThis.addEventListener?.(type, this.flush);
  }

  /** Writes a pending id now. */
  readonly flush = (): void => {
    const { pending } = this;
    if (pending === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const type of LEAVING) globalThis.removeEventListener?.(type, this.flush);
    this.pending = undefined;
    void this.write(pending);
  };

  private async write(id: string): Promise<void> {
    try {
      // A custom storage may return a promise.
      await (this.storage.setItem(this.key, id) as unknown);
    } catch (error) {
      this.warn('setItem', error);
    }
  }

  private warn(call: string, error: unknown): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    console.warn(
      `nestjs-eventstream: persist.${call}() failed: ${messageOf(error)}. Events continue, but a reload may repeat or miss some. Free some storage, or pass another one.`,
    );
  }
}
