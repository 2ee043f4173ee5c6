import { randomBytes } from 'node:crypto';
import type { LoggedEvent } from '../log/event.js';
import type { NewEvent } from '../log/event-log.js';
import { encodeBody, type SseMessage } from '../wire/frame.js';

/** Apps can neither publish to this room nor read it. */
export const PEER_ROOM = 'sse:inspect';

type Listener = (text: string) => void;

/** Whether it can be the address of a process: it becomes part of an event. */
export function isAddress(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{8}$/.test(value);
}

/**
 * Questions and answers between the processes that share the log of a hub. They are ephemeral
 * events: the log keeps none of them, and a process that is cut off misses them. Messages that must
 * arrive use the `ControlChannel`.
 */
export class PeerChannel {
  /** Names this process. Random; new at each start. */
  readonly address = randomBytes(6).toString('base64url');
  private readonly listeners = new Set<Listener>();
  private lastNumber = 0;

  constructor(private readonly append: (event: NewEvent) => Promise<unknown>) {}

  /** For questions: no two listeners of this process use the same number. */
  nextNumber(): number {
    return ++this.lastNumber;
  }

  /** Sends to one address, or to all processes, this one included. */
  async send(text: string, to?: string): Promise<void> {
    const message: SseMessage = { data: text };
    // The address of the receiver is sent as a second room of the event. So all other processes can
    // drop the event without decoding its text.
    const rooms = to === undefined ? [PEER_ROOM] : [PEER_ROOM, to];
    await this.append({ rooms, message, body: encodeBody(message), ephemeral: true });
  }

  /** Returns a function that removes the listener. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  receive(event: LoggedEvent): void {
    const to = event.rooms[1];
    if (this.listeners.size === 0 || (to !== undefined && to !== this.address)) return;
    const text = String(event.message.data);
    for (const listener of this.listeners) listener(text);
  }
}
