import { SSE_OPEN, SSE_ROOMS } from '../../wire/protocol.js';
import type { TabsOptions } from './tabs.options.js';

export interface AnyEvent {
  readonly type: string;
  readonly data: unknown;
  readonly id: string | undefined;
}

/** What tells a tab that it has missed events of these rooms; of all rooms if there are none. */
export function gapOf(rooms: readonly string[], reason = 'unknown'): AnyEvent {
  return { type: 'sse-gap', data: { rooms, reason }, id: undefined };
}

/** Whether events of this type tell which rooms the stream has. */
export function hasRooms(type: string): boolean {
  return type === SSE_OPEN || type === SSE_ROOMS;
}

/**
 * Whether a tab gets an event: unless all rooms of the event are rooms that other tabs have joined,
 * and this one has not.
 */
export function isForTab(
  event: AnyEvent,
  roomsOf: TabsOptions['roomsOf'],
  { own, union }: { readonly own: ReadonlySet<string>; readonly union: readonly string[] },
): boolean {
  if (roomsOf === undefined) return true;
  const rooms = event.type.startsWith('sse-') ? namedRooms(event.data) : [roomsOf(event)].flat();
  return rooms.length === 0 || rooms.some((room) => own.has(room) || !union.includes(room));
}

function namedRooms(data: unknown): readonly string[] {
  const { room, rooms = [] } = Object(data) as { room?: string; rooms?: readonly string[] };
  return room === undefined ? rooms : [room];
}
