import type { Gap } from '../log/event-log.js';

/** Merges gaps by reason, so that repeated losses do not add entries. */
export function withGap(gaps: readonly Gap[], { rooms, reason }: Gap): Gap[] {
  const before = gaps.find((gap) => gap.reason === reason)?.rooms ?? [];
  const others = gaps.filter((gap) => gap.reason !== reason);
  return [...others, { rooms: [...new Set([...before, ...rooms])], reason }];
}
