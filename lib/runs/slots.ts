import { SseConflictError } from '../ground/errors.js';
import type { StateRoom } from '../hub/state-room.js';
import { refusal } from './run-error.js';
import { isOver, type RunRecord } from './run-record.js';

interface Slot {
  readonly id: string;
  readonly run: string;
  readonly at: number;
}

/** A slot whose run does not exist yet is given away after this time. */
const STARTING_MS = 10_000;

/** The runs that count for a key: an entry for each, whose number is bounded. */
export class Slots {
  constructor(
    private readonly slots: StateRoom<Record<string, Slot>>,
    private readonly runs: StateRoom<Record<string, RunRecord>>,
  ) {}

  /**
   * Takes a slot for a run that is about to start. Resolves with its key.
   * @throws HttpException 429
   */
  async take(
    { key, max = 1 }: { key: string; max?: number },
    id: string,
    run: string,
  ): Promise<string> {
    const slot = { id, run, at: Date.now() };
    for (let no = 0; no < max; no++) {
      const name = `${no}:${key}`;
      if (await this.tryToTake(name, slot)) return name;
    }
    const remedy = 'wait until one has ended, stop it, or raise `concurrency.max`';
    throw refusal('busy', `${max} runs with the key ${JSON.stringify(key)} are running; ${remedy}`);
  }

  private async tryToTake(name: string, slot: Slot): Promise<boolean> {
    try {
      const held = await this.slots.get(name);
      if (held === undefined) await this.slots.set(name, slot, { ifAbsent: true });
      else if (await this.isUsed(held.value)) return false;
      else await this.slots.set(name, slot, { ifPosition: held.position });
      return true;
    } catch (error) {
      if (error instanceof SseConflictError) return false;
      throw error;
    }
  }

  private async isUsed({ id, run, at }: Slot): Promise<boolean> {
    const entry = await this.runs.get(id);
    if (entry?.value.run !== run) return Date.now() - at < STARTING_MS;
    return !isOver(entry.value);
  }

  async release(name: string, run: string): Promise<void> {
    const held = await this.slots.get(name);
    if (held?.value.run !== run) return;
    await this.slots.delete(name, { ifPosition: held.position }).catch((error: unknown) => {
      if (!(error instanceof SseConflictError)) throw error;
    });
  }
}
