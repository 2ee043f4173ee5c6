import type { Notice } from './notice.js';
import { bytesOfText } from './tail.js';

const MAX_COUNT = 10_000;
const MAX_BYTES = 16 * 1_048_576;

/**
 * Notices that wait until the events before them are known. If there are too many, all are dropped,
 * and read from the log later.
 */
export class WaitingNotices {
  private readonly notices: Notice[] = [];
  private bytes = 0;

  get length(): number {
    return this.notices.length;
  }

  /** The epochs of the waiting notices. */
  get epochs(): Set<string> {
    return new Set(this.notices.map(({ epoch }) => epoch));
  }

  /** Returns false if this notice and all others were dropped. */
  push(notice: Notice): boolean {
    this.notices.push(notice);
    if (notice.kind !== 'probe') this.bytes += bytesOfText(notice.event.text);
    if (this.notices.length <= MAX_COUNT && this.bytes <= MAX_BYTES) return true;
    this.notices.length = 0;
    this.bytes = 0;
    return false;
  }

  /** Takes notices in order, up to the first that `take` refuses. */
  drain(take: (notice: Notice) => boolean): void {
    let taken = 0;
    for (const notice of this.notices) {
      if (!take(notice)) break;
      if (notice.kind !== 'probe') this.bytes -= bytesOfText(notice.event.text);
      taken++;
    }
    this.notices.splice(0, taken);
  }
}
