import { messageOf } from './client-error.js';
import type { CursorStorage } from './connect.options.js';

/**
 * After these a page may never run a timer again. The second one reaches the window from the
 * document.
 */
const LEAVING = ['pagehide', 'visibilitychange'];

/**
 * The last event ID in the app's storage. A storage that fails is told once, and stops no event.
 */
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

  /** Writes it when the turn is over: storage is slow, and events come many at a time. */
  keep(id: string): void {
    this.pending = id;
    if (this.timer !== undefined) return;
    this.timer = setTimeout(this.flush);
    // Only browsers have pages. A listener that is always there would come before those of the app.
    for (const type of LEAVING) globalThis.addEventListener?.(type, this.flush);
  }

  /** Writes now what is not written yet. */
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
      // A storage of the app's own may answer with a promise.
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
