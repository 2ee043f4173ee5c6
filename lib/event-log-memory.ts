import { nextPosition } from './cursor.js';
import { SseClosedError } from './errors.js';
import type { LoggedEvent } from './event.js';
import type { EventLog, Head, NewEvent } from './event-log.js';

/** The log of one process: `append` hands the event to the listener before it returns. */
export class MemoryEventLog implements EventLog {
  private head: Head;
  private listener: ((event: LoggedEvent) => void) | undefined;
  private closed = false;

  constructor(private readonly clock: () => number = Date.now) {
    this.head = { epoch: randomEpoch(), position: nextPosition(0, clock()) };
  }

  async append(event: NewEvent): Promise<LoggedEvent> {
    if (this.closed) throw new SseClosedError('the hub');
    const { epoch } = this.head;
    const { ephemeral, ...rest } = event;
    const position = ephemeral ? undefined : nextPosition(this.head.position, this.clock());
    if (position !== undefined) this.head = { epoch, position };
    const logged: LoggedEvent = { epoch, position, ...rest };
    this.listener?.(logged);
    return logged;
  }

  async follow(listener: (event: LoggedEvent) => void): Promise<Head> {
    this.listener = listener;
    return this.head;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.listener = undefined;
  }
}

/** 48 random bits: two lifetimes of a log never share a name. */
function randomEpoch(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(6))).toString('base64url');
}
