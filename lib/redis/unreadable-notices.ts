import { Logger } from '@nestjs/common';
import { RareLine } from '../warnings.js';

/** A flood of them asks for the head no more often. */
const CHECK_EVERY_MS = 1_000;
/** Long enough for one readiness check to see it, and too short for a platform to replace all processes of a hub. */
const TROUBLE_MS = 5_000;

/**
 * Notices from another program, from another version, or damaged on their way. Each may have been an event, so the log is
 * asked whether one is missing.
 */
export class UnreadableNotices {
  private cameAt = -Infinity;
  private checkedAt = -Infinity;
  private timer: NodeJS.Timeout | undefined;
  private readonly line = new RareLine();

  constructor(
    private readonly hub: string,
    private readonly check: () => void,
  ) {}

  get trouble(): string | undefined {
    if (performance.now() >= this.cameAt + TROUBLE_MS) return undefined;
    return 'notices come that cannot be read';
  }

  add(): void {
    this.cameAt = performance.now();
    const times = this.line.again();
    if (times > 0) {
      const remedy = 'find out which other program or version publishes there';
      logger.warn(
        `Notices on the channel of hub "${this.hub}" cannot be read (${times} of them); ${remedy}`,
      );
    }
    if (this.timer !== undefined) return;
    const waitMs = Math.max(0, this.checkedAt + CHECK_EVERY_MS - this.cameAt);
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.checkedAt = performance.now();
      this.check();
    }, waitMs);
    this.timer.unref();
  }

  close(): void {
    clearTimeout(this.timer);
  }
}

const logger = new Logger('Sse');
