import type { EventReader } from './loop.js';

/** All who read one stream: listeners, subscriptions and loops. */
export class Readers<Event> {
  /**
   * Replaced and never changed, so that who comes or goes while an event is given does not matter
   * to the others.
   */
  private all: readonly EventReader<Event>[] = [];
  /** Those that hold the stream: loops and subscriptions. */
  private readonly holders = new Set<EventReader<Event>>();
  private look = (): void => {};

  /** There is somebody, and each loop has asked for the next event. */
  get areWaiting(): boolean {
    return this.all.length > 0 && this.all.every(({ isReady }) => isReady);
  }

  add(reader: EventReader<Event>, isHolder: boolean): void {
    this.all = [...this.all, reader];
    if (isHolder) this.holders.add(reader);
    this.changed();
  }

  /** Answers whether that was the last one that held the stream. */
  remove(reader: EventReader<Event>): boolean {
    this.all = this.all.filter((other) => other !== reader);
    this.changed();
    return this.holders.delete(reader) && this.holders.size === 0;
  }

  give(event: Event): void {
    for (const reader of this.all) {
      if (this.all.includes(reader)) guard(() => reader.give(event));
    }
  }

  end(error: Error | undefined): void {
    for (const reader of this.all) guard(() => reader.end(error));
    this.all = [];
  }

  /** Resolves at the next `changed()`. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      this.look = resolve;
    });
  }

  /** Somebody came, asked or left, or the stream has ended. */
  changed(): void {
    this.look();
  }
}

/** An error in the app's code is the app's: it is reported as uncaught, and the stream goes on. */
export function guard(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
