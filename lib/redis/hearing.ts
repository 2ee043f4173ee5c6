import { Logger } from '@nestjs/common';
import { diagnostics } from '../log/diagnostics.js';
import { describe } from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';

/** After this many probes in a row that are not heard the subscription is made again. */
const MAX_MISSES = 2;

/** What can be done where nothing is heard. */
interface HearingSource {
  /** Lets everybody who follows hear where the log stands, on the way that events take. */
  probe(): Promise<void>;
  resubscribe(): void;
}

/** Whether what is published comes back to this process. When it is quiet, a probe shows it. */
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

  /** Something has come. */
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

  /** What was missed cannot be read, until `caughtUp()`. */
  behind(why: string): void {
    this.behindBecause = `missed events cannot be read: ${why}`;
    if (this.awayBecause === undefined && this.behindLine.again() > 0) {
      const { hub } = this.options;
      logger.warn(`Missed events of hub "${hub}" cannot be read, and are tried again: ${why}`);
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
      // It may have been refused, or have died on the way, where nobody tells.
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
      // That nothing can be published is not the subscription's fault.
      this.isProbing = false;
      this.misses = 0;
      this.unansweredBecause = describe(error);
    });
  };
}

const logger = new Logger('Sse');
