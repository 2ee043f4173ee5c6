import { Deferred } from '../ground/deferred.js';
import type { HubEvent } from '../log/event.js';
import type { Position } from '../wire/cursor.js';
import type { RunStatus } from './runs.options.js';

/** How a run has ended, for its readers. */
export interface RunEnd {
  readonly status: RunStatus;
  /** Whether messages are missing, because the log has lost them. */
  readonly isCut: boolean;
}

/**
 * The messages of a run in this process, from the first one. All of its readers read this one list,
 * each at its own place, so a slow reader holds back nothing and keeps nothing.
 */
export class Transcript {
  readonly messages: HubEvent[] = [];
  private readonly places = new Map<Position, number>();
  end: RunEnd | undefined;
  /** Why it gets no more messages, if that is not its end. */
  gone: unknown;
  private next = new Deferred<void>();

  get lastPosition(): Position {
    return this.messages.at(-1)?.position ?? 0;
  }

  /** Messages come by ascending position; those that it has are ignored. */
  add(message: HubEvent): void {
    const { position = 0 } = message;
    if (this.end !== undefined || position <= this.lastPosition) return;
    this.places.set(position, this.messages.length);
    this.messages.push(message);
    this.wake();
  }

  finish(end: RunEnd): void {
    this.end ??= end;
    this.wake();
  }

  leave(why: unknown): void {
    this.gone ??= why;
    this.wake();
  }

  /** The index after the message at this position; `undefined` if it has no such message. */
  indexAfter(position: Position): number | undefined {
    const index = this.places.get(position);
    return index === undefined ? undefined : index + 1;
  }

  /** Resolves at the next change. */
  get changed(): Promise<void> {
    return this.next.promise;
  }

  private wake(): void {
    this.next.resolve();
    this.next = new Deferred<void>();
  }
}
