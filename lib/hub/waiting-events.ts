import type { HubEvent, LoggedEvent } from '../log/event.js';

/** A missed event, or one that came live. */
export type WaitingEvent = LoggedEvent | HubEvent;

type Positioned = Pick<WaitingEvent, 'position'>;

/**
 * Merges two lists, each in the order of the log. An event that is in both is in the result once.
 * One that the log does not keep stays behind the one before it.
 */
export function mergedInOrder<T extends Positioned>(some: readonly T[], others: readonly T[]): T[] {
  const merged: T[] = [];
  let next = 0;
  for (const event of some) {
    const { position } = event;
    for (let other = others[next]; other !== undefined; other = others[++next]) {
      if (position === undefined || (other.position ?? -1) > position) break;
      if (other.position !== position) merged.push(other);
    }
    merged.push(event);
  }
  return merged.concat(others.slice(next));
}
