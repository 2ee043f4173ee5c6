import type { HubEvent } from '../log/event.js';

/** Live events that wait until their subscription has caught up. */
export class HeldEvents {
  readonly events: HubEvent[] = [];
  /** Characters of wire text. */
  size = 0;

  push(event: HubEvent): void {
    this.events.push(event);
    this.size += event.frame.length;
  }
}
