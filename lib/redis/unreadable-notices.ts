import { Logger } from '@nestjs/common';
import { RareLine } from '../ground/warnings.js';

/**
 * Long enough for one readiness check to notice it, too short for a platform to replace all
 * processes of a hub.
 */
const TROUBLE_MS = 5_000;

/** Reports notices that cannot be parsed: from another program or version, or damaged. */
export class UnreadableNotices {
  private cameAt = -Infinity;
  private readonly line = new RareLine();

  constructor(private readonly hub: string) {}

  get trouble(): string | undefined {
    if (performance.now() >= this.cameAt + TROUBLE_MS) return undefined;
    return 'messages on the Redis channel cannot be read';
  }

  add(): void {
    this.cameAt = performance.now();
    const times = this.line.again();
    if (times === 0) return;
    const remedy = 'find out which other program or version publishes there';
    logger.warn(
      `${times} messages on the Redis channel of hub "${this.hub}" cannot be read; ${remedy}`,
    );
  }
}

const logger = new Logger('Sse');
