import { randomBytes } from 'node:crypto';
import { SseClosedError, SseError } from '../ground/errors.js';
import type { Time } from '../ground/time.js';
import type { Appended, EventLog, NewEvent } from '../log/event-log.js';
import type { RoomEntries } from '../log/entries.js';
import { formatCursor } from '../wire/cursor.js';
import type { HubFacts } from './new-event.js';
import { HubState, type StateHub } from './state.js';
import type { StateRoom } from './state-room.js';

/** The pause before a call that failed is repeated. */
const REPEAT_MS = 1_000;

/**
 * The log for work of the library itself. Calls are repeated while the log is unavailable, so what
 * one reports has happened, or never will.
 */
export class SureLog {
  private readonly sure: StateHub;
  private readonly once: StateHub;
  /** Ends the pauses of the calls that wait to be repeated. */
  private readonly pauses = new Set<() => void>();
  private isClosed = false;

  constructor(
    private readonly log: EventLog,
    hubFacts: HubFacts,
    private readonly time: Time,
  ) {
    // What is written was made plain when it came.
    const facts = { ...hubFacts, toPlain: undefined };
    this.sure = {
      facts,
      log: {
        head: () => this.surely(() => log.head()),
        entries: (room) => this.surely(() => log.entries(room)),
        entry: (room, key) => this.surely(() => log.entry(room, key)),
      },
      publisher: {
        publish: async (make) => {
          const { epoch, position } = await this.append(make());
          return position === undefined ? '' : formatCursor({ epoch, position });
        },
      },
    };
    this.once = {
      facts,
      log,
      publisher: {
        publish: async (make) => {
          const { epoch, position } = await log.append(make());
          return position === undefined ? '' : formatCursor({ epoch, position });
        },
      },
    };
  }

  /** Appends an event once, however often that has to be tried. */
  append(event: NewEvent): Promise<Appended> {
    // With the key, the answer to a repeated change is that of the change itself.
    // mutant: a change that was made is taken for one that was not
    const keyed = { ...event, key: `sse:${randomBytes(12).toString('base64url')}` };
    return this.surely(() => this.log.append(keyed));
  }

  room<Value>(name: string): StateRoom<Record<string, Value>> {
    return new HubState(this.sure, name);
  }

  /** A room whose calls are made once, also after `close()`. */
  roomOnce<Value>(name: string): StateRoom<Record<string, Value>> {
    return new HubState(this.once, name);
  }

  /** The entries of a room as the log has them. */
  entriesOf(room: string): Promise<RoomEntries | undefined> {
    return this.surely(() => this.log.entries(room));
  }

  /** Calls that wait to be repeated, and later ones, reject with `SSE_CLOSED`. */
  close(): void {
    this.isClosed = true;
    for (const end of this.pauses) end();
  }

  private async surely<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      if (this.isClosed) throw new SseClosedError('the hub');
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof SseError) || error.code !== 'SSE_LOG_UNAVAILABLE') throw error;
      }
      await this.pause();
    }
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.pauses.delete(end);
        resolve();
      };
      const cancel = this.time.after(REPEAT_MS, end);
      this.pauses.add(end);
    });
  }
}
