import type { Position } from '../wire/cursor.js';
import type { RoomState } from '../log/event-log.js';
import { decodeEvent, type StoredEvent } from '../log/event-text.js';
import { positionOf } from './notice.js';
import type { StoredEntry } from './tail.js';

/** A room to read, and the position to begin after. */
export interface RoomAsk {
  readonly room: string;
  readonly after: Position;
}

/**
 * A room as it was read. If an entry cannot be decoded, it and all earlier ones are left out as
 * lost.
 */
export interface ReadRoom extends RoomState {
  readonly entries: readonly StoredEntry[];
  readonly isDamaged: boolean;
}

/** The rooms that a script read, and how much of its limits they took. */
export interface ReadReply {
  readonly epoch: string;
  readonly rooms: readonly ReadRoom[];
  readonly events: number;
  readonly bytes: number;
}

/** Decodes the reply of `READ` for `count` rooms. */
export function readReply(reply: unknown, count: number, isNewest: boolean): ReadReply {
  const [epoch, lasts, ...rows] = reply as [string, string, ...(string | number)[][]];
  const texts = new EventTexts(epoch);
  const rooms: ReadRoom[] = [];
  for (const last of lasts === '' ? [] : lasts.split(' ')) {
    rooms.push({ last: Number(last), entries: [], isWhole: true, isDamaged: false });
  }
  // The log no longer exists.
  const gone = { last: Number.MAX_SAFE_INTEGER, entries: [], isWhole: true, isDamaged: false };
  while (rooms.length < count) rooms.push(gone);
  for (const [n, isWhole, ...fields] of rows) {
    const room = rooms[Number(n) - 1];
    if (room === undefined) continue;
    const { entries, isDamaged } = texts.entriesOf(fields.map(String), isNewest);
    rooms[Number(n) - 1] = { last: room.last, entries, isDamaged, isWhole: isWhole === 1 };
  }
  return { epoch, rooms, events: texts.events, bytes: texts.bytes };
}

/** The events of one reply. Redis sends the text of each with its first entry only. */
class EventTexts {
  events = 0;
  bytes = 0;
  private readonly known = new Map<string, StoredEvent | undefined>();

  constructor(private readonly epoch: string) {}

  entriesOf(fields: readonly string[], isNewest: boolean) {
    const all: (StoredEntry | undefined)[] = [];
    for (let n = 0; n + 2 < fields.length; n += 3) {
      const [id = '', previous, text = ''] = fields.slice(n, n + 3);
      all.push(this.entryOf(id, positionOf(previous), text));
    }
    if (isNewest) all.reverse();
    const damaged = all.lastIndexOf(undefined);
    const entries = all.slice(damaged + 1).filter((entry) => entry !== undefined);
    return { entries, isDamaged: damaged !== -1 };
  }

  private entryOf(id: string, previous: Position | undefined, text: string) {
    if (text !== '') {
      this.events++;
      this.bytes += text.length;
      const position = positionOf(id);
      this.known.set(
        id,
        position === undefined ? undefined : decodeEvent(this.epoch, position, text),
      );
    }
    const event = this.known.get(id);
    return event === undefined || previous === undefined ? undefined : { event, previous };
  }
}
