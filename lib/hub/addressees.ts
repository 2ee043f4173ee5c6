import { ID_EXPECTED, isId } from '../connection/identify.js';
import { SseConnection } from '../connection/sse-connection.js';
import type { Stream } from '../connection/stream.js';
import { SseInvalidFieldError, SseOptionsError } from '../ground/errors.js';
import { roomOfUser } from '../wire/room-names.js';
import type { Delivery } from './delivery.js';

/**
 * The rooms of some users.
 * @throws SseInvalidFieldError
 */
export function roomsOfUsers(users: readonly unknown[]): string[] {
  if (users.length === 0) {
    throw new SseInvalidFieldError('user', users, 'expected at least one id');
  }
  const rooms = users.map((user) => {
    if (isId(user)) return roomOfUser(user);
    throw new SseInvalidFieldError('user', user, `expected ${ID_EXPECTED}`);
  });
  return [...new Set(rooms)];
}

/**
 * The rooms of a new stream: those of the app, and at the end that of the connection's user, unless
 * another stream of the connection reads it already. So a connection gets each event once.
 */
export function withUserRoom(
  rooms: readonly string[],
  connection: Stream | undefined,
  hub: Delivery,
): readonly string[] {
  const user = connection?.identity?.user;
  if (connection === undefined || user === undefined) return rooms;
  const room = roomOfUser(user);
  return connection.cursor.reads(hub, room) ? rooms : [...rooms, room];
}

/**
 * The client that does not get an event.
 * @throws SseOptionsError, SseInvalidFieldError
 */
export function exceptedClient(
  except: string | SseConnection | undefined,
  identifies: boolean,
): string | undefined {
  if (except === undefined) return undefined;
  if (!identifies) throw missingIdentify('the option `except` of emit()');
  if (!(except instanceof SseConnection)) {
    if (isId(except)) return except;
    const remedy = `expected a connection, or the id of a client: ${ID_EXPECTED}`;
    throw new SseInvalidFieldError('except', except, remedy);
  }
  const { client } = except.identity ?? {};
  if (client !== undefined) return client;
  const remedy = 'this connection has no `identity.client`; return one from `identify`';
  throw new SseInvalidFieldError('except', except.id, remedy);
}

/** What needs the option `identify`, and does not have it. */
export function missingIdentify(what: string): SseOptionsError {
  const problem = `${what} needs to know whose a connection is; set \`identify\` in SseModule.forRoot()`;
  return new SseOptionsError('identify', 'a function', undefined, problem);
}
