import type { EventReader } from './loop.js';
import type { StreamObserver } from './stream-state.js';

/** The readers of one stream: listeners, subscriptions and loops. */
export class Readers<Event> {
  /** Replaced and never changed, so that readers can come and go while an event is delivered. */
  private all: readonly EventReader<Event>[] = [];
  /** Loops and subscriptions. The stream closes when the last of them ends. */
  private readonly holders = new Set<EventReader<Event>>();
  private look = (): void => {};

  /** Whether there are readers, and all loops have asked for the next event. */
  get areWaiting(): boolean {
    return this.all.length > 0 && this.all.every(({ isReady }) => isReady);
  }

  add(reader: EventReader<Event>, isHolder: boolean): void {
    this.all = [...this.all, reader];
    if (isHolder) this.holders.add(reader);
    this.changed();
  }

  /** Returns whether that was the last holder. */
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

  /** A reader came, asked or left, or the stream has ended. */
  changed(): void {
    this.look();
  }
}

/** A reader that takes each event at once. */
export function readerFor<Event>(
  observer: StreamObserver<Event> | ((event: Event) => void),
): EventReader<Event> {
  const to = typeof observer === 'function' ? { next: observer } : observer;
  return {
    isReady: true,
    give: (event) => to.next?.(event),
    end: (error) => (error === undefined ? to.complete?.() : to.error?.(error)),
  };
}

/** Reports an error in the app's code as uncaught. The stream continues. */
export function guard(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
