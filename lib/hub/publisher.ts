import { Logger } from '@nestjs/common';
import { describe, SseClosedError, SseConflictError } from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';
import type { EventLog, NewEvent } from '../log/event-log.js';
import { formatCursor } from '../wire/cursor.js';
import type { Broadcaster } from './broadcaster.js';
import type { Delivery } from './delivery.js';
import { diagnostics } from './diagnostics.js';

const logger = new Logger('Sse');

/** Appends what a hub publishes to its log. Every failure rejects, and is reported. */
export class Publisher {
  private readonly failures = new RareLine();
  private isClosed = false;

  constructor(
    private readonly log: EventLog,
    private readonly hub: Broadcaster & { readonly name: string; readonly delivery: Delivery },
  ) {}

  close(): void {
    this.isClosed = true;
  }

  /** Resolves with the event's cursor. Nobody has to await it. Never throws synchronously. */
  publish(make: () => NewEvent): Promise<string> {
    const published = this.append(make);
    // A failure must not end the process. A client may cause one, for example with the name of a
    // room, and the log may be unavailable.
    published.catch((error: unknown) => this.logFailure(error));
    return published;
  }

  /** Like `publish()`, but logs no failure. */
  async append(make: () => NewEvent): Promise<string> {
    try {
      const event = make();
      if (this.isClosed) throw new SseClosedError('the hub');
      const appended = await this.log.append(event);
      const { epoch, position } = appended;
      this.hub.delivery.hasPublished(appended);
      if (diagnostics.publish.hasSubscribers) this.reportPublished(event);
      return position === undefined ? '' : formatCursor({ epoch, position });
    } catch (error) {
      diagnostics.error.publish({ error, connection: undefined, broadcaster: this.hub });
      throw error;
    }
  }

  /** While a log is unavailable, every event fails. Logs only some of them. */
  private logFailure(error: unknown): void {
    // A change on a condition may fail: that is what the condition is for.
    if (error instanceof SseConflictError) return;
    const failed = this.failures.again();
    if (failed === 0) return;
    const what =
      failed === 1
        ? 'An event was not published'
        : `${failed} events were not published, the last error`;
    logger.warn(`${what}: ${describe(error)}`);
  }

  private reportPublished({ rooms, message: { type }, body }: NewEvent): void {
    const bytes = Buffer.byteLength(body);
    diagnostics.publish.publish({ hub: this.hub.name, broadcaster: this.hub, rooms, type, bytes });
  }
}
