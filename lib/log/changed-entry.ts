import { isStateChange } from '../wire/protocol.js';
import type { HubEvent } from './event.js';

/** Names the entry that an event changes; `undefined` if it changes none. */
export function changedEntry({ type, rooms: [room], data }: HubEvent): string | undefined {
  if (!isStateChange(type)) return undefined;
  // An app may have published the type by itself.
  return JSON.stringify([room, (data as { key?: unknown } | null)?.key]);
}
