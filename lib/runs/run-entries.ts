import { SseConflictError } from '../ground/errors.js';
import type { Time } from '../ground/time.js';
import type { StateEntry, StateRoom } from '../hub/state-room.js';
import { parseCursor } from '../wire/cursor.js';
import type { RunEntry } from './followed-run.js';
import type { RunRecord } from './run-record.js';

/** The process of a run may have missed a message. */
const ASK_AGAIN_MS = 1_000;

/** Gets the position of the change; `Infinity` if this process may not have heard of some. */
type ChangeListener = (position: number) => void;

/** The entries of all runs in the log, and who in this process waits for a change of one. */
export class RunEntries {
  private readonly listeners = new Map<string, Set<ChangeListener>>();

  constructor(
    private readonly records: StateRoom<Record<string, RunRecord>>,
    private readonly time: Time,
  ) {}

  get(id: string): Promise<StateEntry<RunRecord> | undefined> {
    return this.records.get(id);
  }

  /**
   * Hands on an entry that is not older than a change that this process has heard of. The answer of
   * the log may be slower than the news of a change after it, and nobody would tell it again.
   */
  async read<T>(id: string, use: (entry: RunEntry | undefined) => T): Promise<T> {
    for (;;) {
      const heard = this.hear(id);
      try {
        const found = await this.records.get(id);
        const entry = found && entryOf(found.value, found.position);
        if (heard.newest <= (entry?.position ?? 0)) return use(entry);
      } finally {
        heard.end();
      }
    }
  }

  /**
   * Sets the entry of a new run, instead of the one at `position`.
   * @returns its cursor, or `undefined` if another run was faster
   */
  async tryToSet(
    id: string,
    record: RunRecord,
    position: string | undefined,
  ): Promise<string | undefined> {
    const condition = position === undefined ? { ifAbsent: true } : { ifPosition: position };
    try {
      // mutant: two processes start the same run
      return await this.records.set(id, record, condition);
    } catch (error) {
      if (error instanceof SseConflictError) return undefined;
      throw error;
    }
  }

  /** Resolves at the next change of the entry, or after a while. */
  nextChange(id: string): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        unlisten();
        resolve();
      };
      const cancel = this.time.after(ASK_AGAIN_MS, wake);
      const unlisten = this.listen(id, wake);
    });
  }

  /** The newest change of the entry that this process hears of, until `end()`. */
  hear(id: string): { readonly newest: number; end(): void } {
    let newest = 0;
    const end = this.listen(id, (position) => {
      newest = Math.max(newest, position);
    });
    return {
      get newest() {
        return newest;
      },
      end,
    };
  }

  private listen(id: string, listener: ChangeListener): () => void {
    const all = this.listeners.get(id) ?? new Set();
    this.listeners.set(id, all.add(listener));
    return () => {
      all.delete(listener);
      if (all.size === 0 && this.listeners.get(id) === all) this.listeners.delete(id);
    };
  }

  changed(id: string, position: number): void {
    for (const listener of this.listeners.get(id) ?? []) listener(position);
  }

  /** Changes did not reach this process. */
  mayHaveChanged(): void {
    for (const id of this.listeners.keys()) this.changed(id, Infinity);
  }
}

export function entryOf(record: RunRecord, cursor: string): RunEntry {
  return { record, cursor, position: parseCursor(cursor)?.position ?? 0 };
}
