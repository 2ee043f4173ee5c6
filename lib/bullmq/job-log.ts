import type { QueueAccess } from './queue-access.js';

const PAGE = 1_000;

/** Reads the lines of a job's log one after the other. */
export class JobLog {
  /** How many lines were read. */
  count = 0;
  /** Lines have no numbers any more: BullMQ has begun to delete the oldest ones. */
  private isCut = false;

  constructor(
    private readonly queue: Pick<QueueAccess, 'logs'>,
    private readonly id: string,
    /** BullMQ keeps so many lines of the job; `undefined` for all. */
    private readonly max: number | undefined,
  ) {}

  /**
   * Reads the lines that are new. Returns whether some are missing.
   * @throws what the queue throws
   */
  async read(line: (text: string) => void): Promise<boolean> {
    while (!this.isCut) {
      const { logs, count } = await this.queue.logs(this.id, this.count, PAGE);
      for (const text of logs) {
        this.count++;
        line(text);
      }
      if (count < this.count || count >= (this.max ?? Infinity)) {
        this.isCut = true;
        return true;
      }
      if (this.count >= count) return false;
    }
    return false;
  }
}
