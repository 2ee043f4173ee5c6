import { Observable } from 'rxjs';
import { currentStream, endWith, streamOf } from '../connection/current-stream.js';
import { roomsOutside } from '../connection/room-cover.js';
import { authorizeBy } from '../connection/room-rules.js';
import type { Stream } from '../connection/stream.js';
import { SseClosedError, SseError } from '../ground/errors.js';
import type { EventMap, PublishedEvent, SseEvent } from '../log/event.js';
import { withUserRoom } from './addressees.js';
import { checkHubStreamOptions, type HubStreamOptions } from './hub.options.js';
import { rosterOf } from '../wire/room-names.js';
import { checkRoomLimits } from './room-limits.js';
import { roomList } from './rooms.js';
import { keepsTail, type StreamCall, type StreamHub } from './stream-call.js';
import { StreamRooms } from './stream-rooms.js';
import { PartSubscription } from './part-subscription.js';
import type { StreamPart } from './stream-part.js';
import { Subscription } from './subscription.js';

/** The engine of `Broadcaster.stream()`. */
export function hubStream(
  hub: StreamHub,
  rooms: string | readonly string[],
  options: HubStreamOptions<EventMap>,
): Observable<SseEvent> {
  const list = roomList(rooms);
  checkHubStreamOptions('stream()', options);
  if (options.presence !== undefined) hub.requireHistory('stream().presence');
  if (options.changeable === true) requireCursors(hub, options);
  if (options.idPrefix !== undefined) requireIds(hub, options);
  const { connection: named } = options;
  const given = named === undefined || named === false ? undefined : streamOf(named);
  const authorize = authorizeBy(options.authorize, 'stream().authorize') ?? hub.authorize;
  const events = new Observable<PublishedEvent>((subscriber) => {
    if (hub.isClosed) throw new SseClosedError('the hub');
    const call: StreamCall = { hub, rooms: list, options, subscriber, authorize };
    if (named === false) return join(call, undefined);
    if (given !== undefined) endWith(given, subscriber);
    const connection = given ?? currentStream.getStore();
    if (options.changeable === true) return StreamRooms.open(call, connection);
    if (authorize === undefined) return join(call, connection);
    if (connection === undefined) {
      const remedy = 'pass `connection` to stream(), or `connection: false` to skip the check';
      throw new SseError('SSE_OPTIONS', `\`authorize\` has no connection to check: ${remedy}`);
    }
    const fail = (error: unknown): void => subscriber.error(error);
    const granted = (): void => {
      try {
        join(call, connection);
      } catch (error) {
        // An error such as a full room is not a missing permission.
        fail(error);
      }
    };
    subscriber.add(connection.authorization.ask(authorize, list, granted, fail));
  });
  // A type assertion only. Without a map of events, every `type` is a `string`.
  return events as Observable<SseEvent>;
}

function requireCursors(hub: StreamHub, { lastEventId, connection }: HubStreamOptions<EventMap>) {
  hub.requireHistory('stream().changeable');
  if (lastEventId === undefined && connection !== false) return;
  const other = lastEventId === undefined ? 'connection: false' : 'lastEventId';
  throw new SseError('SSE_OPTIONS', `stream(): leave out \`${other}\`, or \`changeable\``);
}

function requireIds(hub: StreamHub, options: HubStreamOptions<EventMap>): void {
  hub.requireHistory('stream().idPrefix');
  const { lastEventId, connection, changeable } = options;
  const others = {
    lastEventId: lastEventId === false,
    connection: connection === false,
    changeable,
  };
  const other = Object.entries(others).find(([, isSet]) => isSet === true)?.[0];
  if (other === undefined) return;
  throw new SseError('SSE_OPTIONS', `stream(): leave out \`${other}\`, or \`idPrefix\``);
}

/** All streams of a connection that write ids have the same prefix, or none. */
function usePrefix(
  { hub, options: { idPrefix, lastEventId } }: StreamCall,
  connection: Stream | undefined,
): void {
  if (idPrefix !== undefined && connection === undefined) {
    const remedy = 'pass `connection` to stream(), or leave it out';
    throw new SseError('SSE_OPTIONS', `\`idPrefix\` has no connection: ${remedy}`);
  }
  if (hub.delivery.keepsHistory && lastEventId !== false) connection?.usePrefix(idPrefix);
}

function join(call: StreamCall, connection: Stream | undefined): void {
  const { rooms, subscriber } = call;
  if (subscriber.closed) return;
  usePrefix(call, connection);
  const newRooms = connection === undefined ? NONE : newRoomsOf(call, connection);
  if (newRooms === undefined) return begin(call, connection, UNKNOWN);
  // Rooms that the client's cursor is not about join those that it is about.
  if (newRooms.length > 0 && newRooms.length < rooms.length && connection !== undefined) {
    return StreamRooms.join(call, connection, newRooms);
  }
  begin(call, connection, newRooms.length === 0 ? undefined : NEWCOMER);
}

function begin(
  { hub, rooms, options, subscriber }: StreamCall,
  connection: Stream | undefined,
  part: StreamPart | undefined,
): void {
  const { presence } = options;
  const read = presence?.watch === true ? [...rooms, ...rooms.map(rosterOf)] : rooms;
  checkRoomLimits(hub.limits, read, connection, (room) => hub.delivery.size(room));
  const all = withUserRoom(read, connection, hub.delivery);
  const { delivery } = hub;
  const subscription =
    part === undefined
      ? new Subscription(delivery, all, options, subscriber, connection)
      : new PartSubscription(delivery, all, options, subscriber, connection, part);
  // Joins before anything is read, so that events published during the read wait in it.
  // mutant: listener attached after history
  hub.delivery.join(subscription);
  subscriber.add(subscription);
  // Before the stream begins, so that a wrong member refuses it.
  if (presence !== undefined) subscriber.add(hub.presence.take(presence, rooms, connection));
  subscription.start();
}

const NONE: readonly string[] = [];

/** For a client whose cursor is about other rooms. */
const NEWCOMER = {
  begin: { cursors: undefined },
  isJoining: false,
  leavesOut: () => false,
  waits: () => false,
};
/** For one whose cursor is about too many to say which. */
const UNKNOWN = { ...NEWCOMER, begin: { cursors: [] } };

/**
 * The rooms that the last event ID of the client is not about. `undefined` if they are others, and
 * nobody can say which.
 */
function newRoomsOf(
  { hub, rooms, options }: StreamCall,
  connection: Stream,
): readonly string[] | undefined {
  if (!hub.delivery.keepsHistory || options.lastEventId !== undefined) return NONE;
  const { cover, lostUpTo } = connection.returning?.tail ?? {};
  if (connection.cursor.tail === undefined && keepsTail(connection)) {
    connection.cursor.tail = { isOnAll: false, lostUpTo };
  }
  // mutant: a new room of a returning client gets nothing old
  return cover === undefined ? NONE : roomsOutside(cover, rooms);
}
