import { describe } from './client-error.js';
import type { CursorStorage } from './connect.options.js';

/** After these a page may never run a timer again. The second one reaches the window from the document. */
const LEAVING = ['pagehide', 'visibilitychange'];

/** The last event ID in the app's storage. A storage that fails is told once, and stops no event. */
export class CursorStore {
  private pending: string | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private hasWarned = false;

  constructor(
    private readonly storage: CursorStorage,
    private readonly key: string,
  ) {
    // Only browsers have pages.
    for (const type of LEAVING) globalThis.addEventListener?.(type, this.flush);
  }

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
    this.timer ??= setTimeout(this.flush);
  }

  /** Writes now what is not written yet. */
  readonly flush = (): void => {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { pending } = this;
    this.pending = undefined;
    if (pending !== undefined) void this.write(pending);
  };

  end(): void {
    this.flush();
    for (const type of LEAVING) globalThis.removeEventListener?.(type, this.flush);
  }

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
      `nestjs-eventstream: persist.${call}() failed: ${describe(error)}. Events go on, but a page that is loaded again does not go on where this one stopped. Free some storage, or pass another; this is said once.`,
    );
  }
}
