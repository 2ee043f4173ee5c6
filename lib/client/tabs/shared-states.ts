import { isStateEvent, type StateEventData } from '../../wire/state-map.js';
import { SSE_SET, SSE_STATE } from '../../wire/protocol.js';
import { LiveState } from '../live-state.js';
import type { Entry } from './messages.js';

/**
 * The maps of all state rooms of the shared stream. Unlike a stream of its own, each tab keeps
 * them: a tab that opens later gets them from the leader, and any tab may lead.
 */
export class SharedStates {
  private readonly maps = new Map<string, LiveState>();
  /** Entries of states that have not arrived. */
  private left = 0;

  /** `isResumed`: the stream began at a cursor, so a change may belong to unknown entries. */
  constructor(
    private readonly isResumed: boolean,
    private readonly onMap: (map: LiveState) => void,
  ) {}

  get isMidState(): boolean {
    return this.left > 0;
  }

  /** The map of a room. Makes an empty one, which the next change or state fills. */
  of(room: string): LiveState {
    let map = this.maps.get(room);
    if (map === undefined) {
      map = new LiveState(room);
      this.maps.set(room, map);
      this.onMap(map);
    }
    return map;
  }

  has(room: string): boolean {
    return this.maps.get(room)?.isWhole === true;
  }

  receive(event: {
    readonly type: string;
    readonly data: unknown;
    readonly id: string | undefined;
  }): void {
    const { type, data, id } = event;
    if (!isStateEvent(type)) return;
    const { room, rooms = [], entries } = Object(data) as Partial<StateEventData>;
    if (type === SSE_STATE) {
      this.left += entries ?? 0;
      for (const name of rooms) this.of(name);
    } else if (type === SSE_SET && id === undefined && this.left > 0) this.left--;
    else if (room !== undefined && !this.isResumed) this.of(room);
    for (const map of this.maps.values()) {
      const change = map.receive(event);
      if (change) map.changed(change);
    }
  }

  /** The connection has broken. */
  drop(): void {
    this.left = 0;
    for (const map of this.maps.values()) map.drop();
  }

  /** The entries of all rooms, as a server sends them to a newcomer. */
  get entries(): Entry[] {
    const event = (type: string, data: object): Entry => ({
      type,
      text: JSON.stringify(data),
      id: undefined,
      cursor: undefined,
    });
    return [...this.maps].flatMap(([room, map]) =>
      map.isWhole
        ? [
            event(SSE_STATE, { rooms: [room], entries: map.size }),
            ...[...map].map(([key, value]) => event(SSE_SET, { room, key, value })),
          ]
        : [],
    );
  }
}
