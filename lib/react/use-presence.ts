import { useMemo } from 'react';
import type { SharedStream } from '../shared/shared-stream.js';
import { rosterOf } from '../wire/room-names.js';
import { useStreamState } from './use-stream-state.js';

/**
 * A member of a room, as `broadcaster.members()` has it.
 * @typeParam Data what the server says of a member
 * @publicApi
 */
export interface PresentMember<Data = unknown> {
  readonly id: string;
  /** What the server's `presence.member` returned, if anything. */
  readonly data: Data;
  /** When the member joined, in milliseconds since the Unix epoch. */
  readonly since: number;
}

/**
 * Renders with the members of a room, those who joined first at the beginning. The handler of the
 * stream needs `presence: { watch: true }`.
 * @typeParam Data what the server says of a member. Nothing checks it
 * @example
 * ```tsx
 * const { stream } = useStream('/rooms/lobby/events');
 * const members = usePresence<{ name: string }>(stream, 'lobby');
 * return <p>{members.map(({ data }) => data.name).join(', ')}</p>;
 * ```
 * @throws SseClientError `SSE_STATE` if the stream has the option `lastEventId` or `persist`
 * @publicApi
 */
export function usePresence<Data = unknown>(
  stream: Pick<SharedStream, 'stateOf'>,
  room: string,
): readonly PresentMember<Data>[] {
  const roster = useStreamState<Record<string, Omit<PresentMember<Data>, 'id'>>>(
    stream,
    rosterOf(room),
  );
  return useMemo(
    () =>
      [...roster]
        .map(([id, { data, since }]) => ({ id, data, since }))
        .sort((a, b) => a.since - b.since),
    [roster],
  );
}
