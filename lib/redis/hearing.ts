import { Logger } from '@nestjs/common';
import { diagnostics } from '../log/diagnostics.js';
import { describe } from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';

/** After this many missed probes in a row, the subscription is restarted. */
const MAX_MISSES = 2;

/** What to do when nothing arrives. */
interface HearingSource {
  /** Publishes the head to all followers, over the channel of the events. */
  probe(): Promise<void>;
  resubscribe(): void;
}

/** Checks whether published messages reach this process. If it is quiet, a probe shows it. */
export class Hearing {
  private isSubscribed = true;
  private isClosed = false;
  private awayBecause: string | undefined;
  private unansweredBecause: string | undefined;
  private behindBecause: string | undefined;
  private readonly behindLine = new RareLine();
  private heardAt = performance.now();
  private misses = 0;
  private isProbing = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly source: HearingSource,
    private readonly options: { readonly hub: string; readonly probeIntervalMs: number },
  ) {}

  get trouble(): string | undefined {
    return this.awayBecause ?? this.unansweredBecause ?? this.behindBecause;
  }

  start(): void {
    this.timer = setInterval(this.check, this.options.probeIntervalMs);
    this.timer.unref();
  }

  close(): void {
    this.isClosed = true;
    clearInterval(this.timer);
  }

  /** A message arrived. */
  heard(): void {
    this.heardAt = performance.now();
    this.isProbing = false;
    this.misses = 0;
    this.unansweredBecause = undefined;
  }

  subscribed(): void {
    this.isSubscribed = true;
    this.heardAt = performance.now();
  }

  away(why: string): void {
    if (this.isSubscribed) this.heardAt = performance.now();
    this.isSubscribed = false;
    if (this.isClosed) return;
    if (this.awayBecause === undefined) {
      logger.warn(
        `Events from Redis do not arrive: ${why}. Streams stay open and get the missed events later.`,
      );
      diagnostics.log.publish({ hub: this.options.hub, trouble: why });
    }
    this.awayBecause = why;
  }

  /** Missed events cannot be read, until `caughtUp()`. */
  behind(why: string): void {
    this.behindBecause = `missed events cannot be read: ${why}`;
    if (this.awayBecause === undefined && this.behindLine.again() > 0) {
      const { hub } = this.options;
      logger.warn(`Missed events of hub "${hub}" cannot be read; trying again: ${why}`);
    }
  }

  /** Nothing is missing any more. */
  caughtUp(): void {
    this.behindBecause = undefined;
    if (!this.isSubscribed || this.isClosed || this.awayBecause === undefined) return;
    this.awayBecause = undefined;
    logger.log('Events from Redis arrive again');
    diagnostics.log.publish({ hub: this.options.hub, trouble: undefined });
  }

  private readonly check = (): void => {
    const { probeIntervalMs } = this.options;
    if (performance.now() - this.heardAt < 2 * probeIntervalMs) return;
    if (!this.isSubscribed) {
      // The subscription was refused, or its connection died unnoticed.
      this.heardAt = performance.now();
      this.source.resubscribe();
      return;
    }
    if (this.isProbing && ++this.misses >= MAX_MISSES) {
      this.isProbing = false;
      this.misses = 0;
      this.away('published events do not come back');
      this.source.resubscribe();
      return;
    }
    this.isProbing = true;
    this.source.probe().catch((error: unknown) => {
      // If publishing fails, the subscription is not to blame.
      this.isProbing = false;
      this.misses = 0;
      this.unansweredBecause = describe(error);
    });
  };
}

const logger = new Logger('Sse');
