/** Rooms whose names begin with this are the library's: apps neither publish to nor read them. */
const RESERVED = 'sse:';

/** What a client sees instead of the name of its user's room. */
const USER_ROOM = 'sse:user';

/** The state room whose entries are the members of a room, by their ids. */
const ROSTER = 'sse:presence:';

export function isReserved(room: string): boolean {
  return room.startsWith(RESERVED);
}

function isOfUser(room: string): boolean {
  return room.startsWith(`${USER_ROOM}:`);
}

/** The room of a user, which some stream of each of the user's connections reads. */
export function roomOfUser(user: string): string {
  return `${USER_ROOM}:${user}`;
}

/** The room of a user among the rooms of a stream, where it is the last. */
export function userRoomIn(rooms: readonly string[]): string | undefined {
  const last = rooms.at(-1);
  return last !== undefined && isOfUser(last) ? last : undefined;
}

/** The rooms of a stream without that of a user. Mostly all of them, and then no new list. */
export function ownRooms(rooms: readonly string[]): readonly string[] {
  return userRoomIn(rooms) === undefined ? rooms : rooms.slice(0, -1);
}

/** Rooms by the names that a client may see: not with the app's id of a user. */
export function shownRooms(rooms: readonly string[]): readonly string[] {
  if (!rooms.some(isOfUser)) return rooms;
  return rooms.map((room) => (isOfUser(room) ? USER_ROOM : room));
}

export function rosterOf(room: string): string {
  return ROSTER + room;
}

/** Whether a room has nothing but entries: losing events of it is no gap. */
export function isRoster(room: string): boolean {
  return room.startsWith(ROSTER);
}
