import { Deferred } from '../ground/deferred.js';
import type { Time } from '../ground/time.js';
import type { RoomListener } from '../hub/delivery.js';
import { HubEvent, type LoggedEvent } from '../log/event.js';
import type { EventLog } from '../log/event-log.js';
import { isCovered } from '../log/resume.js';
import type { Position } from '../wire/cursor.js';
import { isStateChange } from '../wire/protocol.js';
import { readPages, type RunEvent } from './pages.js';
import type { Transcript } from './transcript.js';

/** How long it waits for a page before it asks and reads again. */
const AGAIN_MS = 1_000;
const RANGE = { maxEvents: 1_000, maxBytes: 8 * 1_048_576 };

/** What a feed needs to know of its run. */
export interface FedRun {
  readonly room: string;
  /** The position up to which messages count; `undefined` while it runs, as far as is known. */
  readonly endAt: number | undefined;
  /** Whether its last page has been written. */
  readonly isWritten: boolean;
  /** Calls back once this process has heard of all changes up to here. */
  whenHeardUpTo(position: Position, step: () => void): void;
  /** Asks the process of the run to write what is not in its pages yet. */
  askForPage(): void;
  /** The transcript has all messages up to now. */
  caughtUp(): void;
}

/**
 * Fills the transcript of a run from the log: first its pages, then the messages after them that
 * history still keeps, then live ones. A page holds all messages before it, and is written before
 * the next message. So nothing is missing if the history after the newest page of this epoch is
 * whole. If it is not, the next page has the rest.
 */
export class RunFeed implements RoomListener {
  /** Live messages that wait for the read; `undefined` if they go to the transcript. */
  private held: RunEvent[] | undefined;
  /** Set again when something is lost during the read. */
  private isStale = false;
  private isClosed = false;
  private news = new Deferred<void>();

  constructor(
    private readonly log: Pick<EventLog, 'entries' | 'read'>,
    private readonly transcript: Transcript,
    private readonly run: FedRun,
    private readonly time: Time,
    private readonly failed: (error: unknown) => void,
  ) {}

  get isLoading(): boolean {
    return this.held !== undefined;
  }

  event(event: LoggedEvent): void {
    if (event.position === undefined || isStateChange(event.message.type)) return this.wake();
    if (this.held === undefined) this.accept(event as RunEvent);
    else this.held.push(event as RunEvent);
  }

  lost(): void {
    this.isStale = true;
    this.wake();
    if (this.held === undefined) this.load().catch(this.failed);
  }

  restart(): void {
    this.lost();
  }

  /** A page was written, or the run has ended. */
  wake(): void {
    this.news.resolve();
    this.news = new Deferred<void>();
  }

  close(): void {
    this.isClosed = true;
    this.wake();
  }

  /** Resolves when the transcript has all messages up to now, and gets the later ones. */
  async load(): Promise<void> {
    this.held = [];
    for (;;) {
      const { promise: news } = this.news;
      this.isStale = false;
      const isWhole = await this.read();
      if (this.isClosed) return;
      if (isWhole && !this.isStale) break;
      if (this.isStale) continue;
      this.run.askForPage();
      await this.newsOrTime(news);
      if (this.isClosed) return;
    }
    const { held } = this;
    this.held = undefined;
    for (const message of held) this.accept(message);
    this.run.caughtUp();
  }

  private newsOrTime(news: Promise<void>): Promise<void> {
    const time = new Deferred<void>();
    const cancel = this.time.after(AGAIN_MS, () => time.resolve());
    return Promise.race([news, time.promise]).finally(cancel);
  }

  /** Returns whether nothing is missing. */
  private async read(): Promise<boolean> {
    const { log, run } = this;
    const { room } = run;
    const wasWritten = run.isWritten;
    const pages = readPages(await log.entries(room), room);
    // The log may have lost the end meanwhile, which the process of the run then writes again.
    const isWritten = wasWritten && run.isWritten;
    // The first page is on its way, or the log has lost it.
    if (pages === undefined) return isWritten;
    // A page between those that are there may be missing: a later message must not hide it.
    if (!isWritten && !pages.isWhole) return false;
    await this.acceptRead(pages.events);
    if (isWritten) return true;
    return this.readAfter(pages.newest);
  }

  private async readAfter({ epoch, position }: RunEvent): Promise<boolean> {
    for (let after = position; ;) {
      const read = await this.log.read([this.run.room], { after, ...RANGE });
      const [state] = read.rooms;
      if (read.epoch !== epoch || state === undefined) return false;
      // mutant: messages that history has deleted are not waited for
      if (!isCovered(after, state.last, state.entries[0])) return false;
      const events = state.entries.map((entry) => entry.event);
      after = events.at(-1)?.position ?? after;
      await this.acceptRead(events.filter(({ message }) => !isStateChange(message.type)));
      if (state.isWhole || this.isClosed) return true;
    }
  }

  /**
   * A read may be newer than what this process has heard: the run may have ended before what was
   * read, which then is from a process that was taken for dead.
   */
  private async acceptRead(events: readonly RunEvent[]): Promise<void> {
    const last = events.at(-1);
    if (last === undefined) return;
    const news = { isHeard: false };
    this.run.whenHeardUpTo(last.position, () => {
      news.isHeard = true;
      this.wake();
    });
    while (!news.isHeard && !this.isClosed) await this.news.promise;
    for (const event of events) this.accept(event);
  }

  private accept(event: RunEvent): void {
    // A later message is from a process that was taken for dead.
    // mutant: messages of a process that was taken for dead count
    if (event.position > (this.run.endAt ?? Infinity)) return;
    this.transcript.add(new HubEvent(event));
  }
}
