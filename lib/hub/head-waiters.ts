import type { Position } from '../wire/cursor.js';
import { guarded } from './guarded.js';

/** Who waits until a hub has delivered everything up to a position. Mostly nobody. */
export class HeadWaiters {
  private waiting: { readonly position: Position; readonly step: () => void }[] = [];

  add(position: Position, step: () => void): this {
    this.waiting.push({ position, step });
    return this;
  }

  /** Returns `undefined` once nobody waits any more. */
  reached(head: Position): this | undefined {
    const due = this.waiting.filter(({ position }) => position <= head);
    this.waiting = this.waiting.filter(({ position }) => position > head);
    for (const { step } of due) guarded(step);
    return this.waiting.length === 0 ? undefined : this;
  }
}
