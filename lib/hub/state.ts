import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, preview, SseInvalidFieldError, SseSerializeError } from '../ground/errors.js';
import type { EntryChange, EntryEnd, EntryTtl, RoomEntries } from '../log/entries.js';
import type { EventLog } from '../log/event-log.js';
import { PublishedMessage } from '../log/published-message.js';
import * as rules from '../options/rules.js';
import { formatCursor, parseCursor } from '../wire/cursor.js';
import { SSE_DELETE, SSE_SET } from '../wire/protocol.js';
import { checkSize, type HubFacts } from './new-event.js';
import type { Publisher } from './publisher.js';
import { keyProblem } from './state-key.js';
import type { ChangeOptions, SetOptions, StateEntry, StateRoom } from './state-room.js';

/** What a state room needs of its hub. */
export interface StateHub {
  readonly log: Pick<EventLog, 'entry' | 'entries' | 'head'>;
  readonly facts: HubFacts;
  readonly publisher: Pick<Publisher, 'publish'>;
}

type EntryEvent = RoomEntries['events'][number];

/** This many entries are decoded in one turn of the event loop. */
const SLICE = 1_000;

/** The engine of a `StateRoom`. */
export class HubState<State extends object> implements StateRoom<State> {
  private readonly rooms: readonly string[];

  constructor(
    private readonly hub: StateHub,
    private readonly room: string,
  ) {
    this.rooms = [room];
  }

  set(key: string, value: unknown, options: SetOptions = {}): Promise<string> {
    return this.hub.publisher.publish(() => {
      checkSetOptions('set()', options);
      const { ttlMs } = options;
      return this.setting(this.jsonOf(key, value), {
        key: checkedKey(key),
        kind: 'set',
        condition: conditionOf(options),
        ttl: ttlMs === undefined ? undefined : ttlOf(ttlMs),
      });
    });
  }

  delete(key: string, options: ChangeOptions = {}): Promise<string> {
    return this.hub.publisher.publish(() => {
      checkChangeOptions('delete()', options);
      return deletion(this.rooms, checkedKey(key), conditionOf(options));
    });
  }

  async get<Key extends keyof State & string>(
    key: Key,
  ): Promise<StateEntry<State[Key]> | undefined> {
    const event = await this.hub.log.entry(this.room, checkedKey(key));
    return event && this.entryOf<State[Key]>(event);
  }

  async entries(): Promise<{ entries: StateEntry<State[keyof State]>[]; cursor: string }> {
    const read = await this.hub.log.entries(this.room);
    const { epoch, position, events } = read ?? { ...(await this.hub.log.head()), events: [] };
    const entries: StateEntry<State[keyof State]>[] = [];
    for (const event of events) {
      entries.push(this.entryOf(event));
      if (entries.length % SLICE === 0) await nextTurn();
    }
    return { entries, cursor: formatCursor({ epoch, position }) };
  }

  private entryOf<Value>(event: EntryEvent): StateEntry<Value> {
    const { key, value } = event.message.data as { key: string; value: Value };
    return { key, value, position: formatCursor(event) };
  }

  private setting(value: string, entry: EntryChange): EntryEnd {
    const event = changing(SSE_SET, this.rooms, `,"value":${value}`, entry);
    const { maxBytes } = this.hub.facts;
    if (maxBytes !== false) checkSize(event.body, maxBytes);
    return event;
  }

  private jsonOf(key: string, value: unknown): string {
    const { toPlain } = this.hub.facts;
    let text: string | undefined;
    try {
      text = JSON.stringify(toPlain === undefined ? value : toPlain(value));
    } catch (cause) {
      throw new SseSerializeError(SSE_SET, describe(cause), { cause });
    }
    if (text !== undefined) return text;
    const reason = `the value of ${JSON.stringify(key)} is ${preview(value)}, which JSON leaves out`;
    throw new SseSerializeError(SSE_SET, `${reason}; set null, or delete the entry`);
  }
}

/** Entries with the same ttl share it, because a log in memory keeps it as long as they live. */
const ttls = new Map<number, EntryTtl>();
const MAX_TTLS = 100;

function ttlOf(ms: number): EntryTtl {
  const known = ttls.get(ms);
  if (known !== undefined) return known;
  if (ttls.size >= MAX_TTLS) ttls.clear();
  const ttl: EntryTtl = { ms, end: (room, key) => deletion([room], key) };
  ttls.set(ms, ttl);
  return ttl;
}

function deletion(
  rooms: readonly string[],
  key: string,
  condition?: EntryChange['condition'],
): EntryEnd {
  return changing(SSE_DELETE, rooms, '', { key, kind: 'delete', condition });
}

/** Always JSON: `serialize` is for the data of the app's own events. */
function changing(
  type: string,
  rooms: readonly string[],
  value: string,
  entry: EntryChange,
): EntryEnd {
  const start = `"room":${JSON.stringify(rooms[0])},"key":${JSON.stringify(entry.key)}`;
  const body = `event: ${type}\ndata: {${start}${value}}\n`;
  const message = new PublishedMessage({ type, data: entry }, body, false);
  return { rooms, message, body, entry };
}

const condition = {
  ifPosition: rules.rule('a position that get() or set() returned', (value) =>
    typeof value === 'string' ? parseCursor(value) !== undefined : false,
  ),
};
const checkChangeOptions = rules.object(condition);
const checkSetOptions = rules.object({
  ...condition,
  ifAbsent: rules.trueOrFalse,
  ttlMs: rules.durationMs,
});

function conditionOf({ ifAbsent, ifPosition }: SetOptions): EntryChange['condition'] {
  if (ifAbsent === true && ifPosition !== undefined) {
    const remedy = 'an entry cannot be absent and have a position; set one of the two';
    throw new SseInvalidFieldError('ifPosition', ifPosition, remedy);
  }
  if (ifAbsent === true) return 'absent';
  return ifPosition === undefined ? undefined : parseCursor(ifPosition);
}

function checkedKey(key: unknown): string {
  const problem = keyProblem(key);
  if (problem !== undefined) throw new SseInvalidFieldError('key', key, problem);
  return key as string;
}
