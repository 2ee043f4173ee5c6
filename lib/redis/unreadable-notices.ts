import { Logger } from '@nestjs/common';
import { RareLine } from '../ground/warnings.js';

/**
 * How long a notice that cannot be read counts as trouble. A readiness check sees it, but it ends
 * before a platform replaces all processes of the hub.
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
