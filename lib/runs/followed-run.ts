import type { Time } from '../ground/time.js';
import type { Hub } from '../hub/hub.js';
import type { Position } from '../wire/cursor.js';
import { RunFeed, type FedRun } from './feed.js';
import { noRun } from './run-error.js';
import { isOver, roomOf, statusOf, type RunRecord } from './run-record.js';
import { Transcript } from './transcript.js';

/** The entry of a run. */
export interface RunEntry {
  readonly record: RunRecord;
  /** The cursor of the event that set it. */
  readonly cursor: string;
  readonly position: Position;
}

/** A run that this process knows: because it works here, or because somebody here reads it. */
export class FollowedRun implements FedRun {
  readonly transcript = new Transcript();
  readonly room: string;
  readers = 0;
  /** Cancels the end of the following. */
  cancelEnd: (() => void) | undefined;
  private readonly feed: RunFeed;
  private readonly unlisten: () => void;
  private loaded: Promise<void> | undefined;

  constructor(
    readonly id: string,
    private entry: RunEntry,
    private readonly hub: Pick<Hub, 'log' | 'delivery'>,
    time: Time,
    private readonly owner: { askForPage(run: FollowedRun): void; gone(run: FollowedRun): void },
  ) {
    this.room = roomOf(id, entry.record);
    this.feed = new RunFeed(hub.log, this.transcript, this, time, (why) => this.gone(why));
    // Before the first read, so that nothing falls between the read and live messages.
    this.unlisten = hub.delivery.listen(this.room, this.feed);
  }

  get record(): RunRecord {
    return this.entry.record;
  }

  get endAt(): number | undefined {
    if (!isOver(this.record)) return undefined;
    return this.record.endAt ?? this.entry.position;
  }

  get isWritten(): boolean {
    return this.record.count !== undefined;
  }

  whenHeardUpTo(position: Position, step: () => void): void {
    this.hub.delivery.whenAt(position, step);
  }

  askForPage(): void {
    this.owner.askForPage(this);
  }

  /** The run begins in this process, which gets all of its messages live. */
  begin(): void {
    // A reader that came before the answer of the log has begun to load it, and may have failed.
    if (!this.feed.isLoading) this.loaded ??= Promise.resolve();
  }

  /** Resolves when the transcript has all messages up to now. */
  load(): Promise<void> {
    return (this.loaded ??= this.feed.load().catch((error: unknown) => {
      // The next reader tries again.
      this.loaded = undefined;
      throw error;
    }));
  }

  /** The entry of the run has changed. */
  changed(entry: RunEntry): void {
    this.entry = entry;
    this.feed.wake();
    // Everything before the end was delivered before this change was.
    if (this.loaded !== undefined && !this.feed.isLoading) this.caughtUp();
  }

  caughtUp(): void {
    const { id, record, entry, transcript } = this;
    if (!isOver(record)) return;
    const isCut = record.isCut === true || (record.count ?? 0) > transcript.messages.length;
    transcript.finish({ status: statusOf(id, record, entry.cursor), isCut });
  }

  /** It gets no more messages: by default because it is no longer kept. */
  gone(why: unknown = noRun(this.id)): void {
    this.transcript.leave(why);
    this.owner.gone(this);
  }

  close(): void {
    this.cancelEnd?.();
    this.unlisten();
    this.feed.close();
  }
}
