import type { LoggedEvent } from '../log/event.js';
import type { NewEvent } from '../log/event-log.js';
import { encodeBody, type SseMessage } from '../wire/frame.js';

/** Apps can neither publish to this room nor read it. */
export const PEER_ROOM = 'sse:inspect';

/**
 * Questions and answers between the processes that share the log of a hub. They are ephemeral
 * events: nothing is kept, so they push nothing out of the log, and a process that is cut off
 * misses them. What has to arrive goes through the `ControlChannel`.
 */
export class PeerChannel {
  private address: string | undefined;
  private heard: (text: string) => void = () => {};

  constructor(private readonly append: (event: NewEvent) => Promise<unknown>) {}

  /** To one address, or to all processes, this one included. */
  async send(text: string, to?: string): Promise<void> {
    const message: SseMessage = { data: text };
    // The address is a room, so that the others see whom it is for without decoding the text.
    const rooms = to === undefined ? [PEER_ROOM] : [PEER_ROOM, to];
    await this.append({ rooms, message, body: encodeBody(message), ephemeral: true });
  }

  /** There is one listener: a second replaces the first. */
  listen(address: string, heard: (text: string) => void): void {
    this.address = address;
    this.heard = heard;
  }

  receive(event: LoggedEvent): void {
    const to = event.rooms[1];
    if (this.address === undefined || (to !== undefined && to !== this.address)) return;
    this.heard(String(event.message.data));
  }
}
