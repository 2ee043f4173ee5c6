import { isStateEvent, type StateEventData } from '../wire/state-map.js';
import { SseClientError } from './client-error.js';
import type { ConnectOptions } from './connect.options.js';
import type { EventReader } from './loop.js';
import { LiveState } from './live-state.js';
import type { Entries, RoomState } from './room-state.js';

/** The maps of a stream's state rooms. */
export class RoomStates {
  private readonly maps = new Map<string, LiveState>();
  /** Rooms whose entries were not kept. A map of one would be incomplete. */
  private readonly passed = new Set<string>();
  private isResumed: boolean;

  constructor(private readonly options: ConnectOptions) {
    this.isResumed = !!options.lastEventId;
  }

  /**
   * Returns the room's map. The first call makes it, and adds it to the readers.
   * @throws SseClientError `SSE_STATE` if the map would not be right
   */
  of<State extends object>(
    room: string,
    entries: Entries<State> | undefined,
    add: (reader: EventReader<unknown>) => void,
  ): RoomState<State>;
  of(
    room: string,
    entries: Iterable<readonly [string, unknown]> | undefined,
    add: (reader: EventReader<unknown>) => void,
  ): unknown {
    let map = this.maps.get(room);
    if (map) return map;
    const why = `stateOf("${room}"): `;
    if (this.options.persist)
      refuseMap(`${why}persist keeps no entries; use a stream without persist`);
    if (this.passed.has(room))
      refuseMap(`${why}its entries have passed; call it right after connect()`);
    if (this.isResumed && !entries) refuseMap(RESUMED);
    map = new LiveState(room);
    if (entries) map.replace(entries);
    this.maps.set(room, map);
    add(map);
    return map;
  }

  /**
   * Updates the maps.
   * @throws SseClientError `SSE_DATA` if there are maps and the event names no room
   */
  receive(event: {
    readonly type: string;
    readonly data: unknown;
    readonly id: string | undefined;
  }): void {
    const { type, data } = event;
    if (!isStateEvent(type)) return;
    const { room, rooms = [room] } = Object(data) as Partial<StateEventData>;
    for (const name of rooms) {
      if (name !== undefined) {
        if (!this.maps.has(name) && !this.options.keeps?.(name)) this.passed.add(name);
      } else if (this.maps.size > 0) {
        const message = `an event "${type}" names no room; parse() must return its JSON`;
        throw new SseClientError('SSE_DATA', message, { isFinal: true });
      }
    }
    for (const map of this.maps.values()) {
      const change = map.receive(event);
      if (change) map.changed(change);
    }
  }

  /** The connection has broken. */
  drop(): void {
    for (const map of this.maps.values()) map.drop();
  }

  /**
   * The app sets the cursor.
   * @throws SseClientError `SSE_STATE` if maps would miss changes
   */
  move(id: string | undefined): void {
    this.isResumed = !!id;
    if (id && this.maps.size > 0) refuseMap(RESUMED);
  }
}

const RESUMED =
  'lastEventId: stateOf() needs the entries as of that id; set undefined to get them again';

function refuseMap(message: string): never {
  throw new SseClientError('SSE_STATE', message);
}
