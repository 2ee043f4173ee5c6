import { describe } from '../ground/errors.js';
import type { Head, LogFollower } from '../log/event-log.js';
import { Hearing } from './hearing.js';
import { parseNotice, type Notice } from './notice.js';
import { RareCheck } from './rare-check.js';
import { delayMsFor, hasHad, Repair, type ReadChunk, type TakenEvent } from './repair.js';
import { Tail } from './tail.js';
import { UnreadableNotices } from './unreadable-notices.js';
import { WaitingNotices } from './waiting-notices.js';

/** How a follower reads from the log itself, for example when a notice is missing. */
export interface FollowerSource {
  head(): Promise<Head>;
  /** Ends the epoch of `seen`, unless it has ended already. Positions continue above `seen`. */
  end(seen: Head): Promise<Head>;
  readonly read: ReadChunk;
  /** Publishes the head to all followers, over the channel of the events. */
  probe(): Promise<void>;
  resubscribe(): void;
  /** A process has set an entry that ends in `ms` milliseconds. */
  endsIn(ms: number): void;
}

const MAX_RETRY_MS = 2_000;

/**
 * Follows the log for one process. Each notice names the position of the event before it, so a
 * missing notice shows as a hole. The hole is read from the log before later events are handed on.
 */
export class Follower {
  tail: Tail;
  private at: Head | undefined;
  /** The newest event of the log that was handed on; a log that lacks it went back. */
  private lastTaken: TakenEvent | undefined;
  /** Whether `at` is the position of a notice. Older notices cannot arrive any more. */
  private isAtNotice = false;
  private readonly formerEpochs = new Set<string>();
  private readonly waiting = new WaitingNotices();
  private repairing: Repair | undefined;
  private isBehind = true;
  private mustRepair = false;
  /** A notice showed that the log continues from before `at`. */
  private hasGoneBack = false;
  private isClosed = false;
  private wake: (() => void) | undefined;
  private readonly hearing: Hearing;
  private readonly unreadable: UnreadableNotices;
  private readonly headCheck = new RareCheck(() => this.repairSoon());

  constructor(
    private readonly hub: LogFollower,
    private readonly source: FollowerSource,
    private readonly options: {
      readonly hub: string;
      readonly tailBytes: number;
      readonly probeIntervalMs: number;
    },
  ) {
    this.tail = new Tail(0, options.tailBytes);
    this.hearing = new Hearing(source, options);
    this.unreadable = new UnreadableNotices(options.hub);
  }

  /** Up to where this process has followed; `undefined` before it began. */
  get head(): Head | undefined {
    return this.at;
  }

  get trouble(): string | undefined {
    return this.hearing.trouble ?? this.unreadable.trouble;
  }

  /** Call it when notices arrive, so that none is missed between the head and the first one. */
  async begin(): Promise<Head> {
    const head = await this.source.head();
    this.startAt(head);
    this.mustRepair = false;
    this.hearing.start();
    // The caller must know the head first.
    setImmediate(() => void this.catchUp());
    return head;
  }

  close(): void {
    this.isClosed = true;
    this.hearing.close();
    this.headCheck.close();
    this.wake?.();
  }

  message(text: string): void {
    this.hearing.heard();
    const notice = parseNotice(text);
    if (notice === undefined) {
      // It may have been an event.
      this.unreadable.add();
      return this.headCheck.soon();
    }
    if (notice.kind === 'event' && notice.endsInMs !== undefined) {
      this.source.endsIn(notice.endsInMs);
    }
    const isTaken = !this.isBehind && this.take(notice);
    if (!isTaken && !(this.waiting.push(notice) && this.isBehind)) this.mustRepair = true;
    if (this.mustRepair && !this.isBehind) void this.catchUp();
  }

  /** Notices arrive again; those published before are missing. */
  subscribed(): void {
    this.hearing.subscribed();
    this.repairSoon();
  }

  away(why: string): void {
    this.hearing.away(why);
  }

  private repairSoon(): void {
    this.mustRepair = true;
    if (!this.isBehind) void this.catchUp();
  }

  /** Runs until nothing is missing. While the log does not answer, streams wait. */
  private async catchUp(): Promise<void> {
    this.isBehind = true;
    let failures = 0;
    while (!this.isClosed && (this.mustRepair || !this.takeWaiting())) {
      try {
        this.mustRepair = false;
        await this.repair();
        failures = 0;
      } catch (error) {
        this.mustRepair = true;
        if (!this.isClosed) this.hearing.behind(describe(error));
        await this.pause(Math.random() * Math.min(MAX_RETRY_MS, 50 * 2 ** failures++));
      }
    }
    this.isBehind = false;
    this.hearing.caughtUp();
  }

  private async repair(): Promise<void> {
    const { at } = this;
    if (at === undefined) return;
    const heardBefore = this.waiting.epochs;
    const head = await this.source.head();
    // Notices from before this head may be of an epoch that began and ended unseen.
    for (const epoch of heardBefore) if (epoch !== head.epoch) this.formerEpochs.add(epoch);
    if (await this.isBack(at, head)) {
      // Acknowledged events are lost, and nobody knows which processes have them.
      const seen = { epoch: head.epoch, position: Math.max(at.position, head.position) };
      // mutant: a log that went back is not told to the others
      this.goOnAt(await this.source.end(seen));
      return;
    }
    if (head.epoch !== at.epoch) return this.goOnAt(head);
    // The log has nothing new.
    if (head.position === at.position && this.repairing === undefined) return;
    await this.readMissed(at, head);
  }

  private async readMissed(at: Head, head: Head): Promise<void> {
    const { repairing } = this;
    const isGoingOn = repairing !== undefined && repairing.upTo.epoch === head.epoch;
    const repair = isGoingOn ? repairing : new Repair(at, head, this.source.read);
    const rooms = (): readonly string[] => this.hub.rooms();
    this.repairing = repair;
    if (!isGoingOn) await this.pause(delayMsFor(rooms().length));
    while (!this.isClosed && repair.isUnfinished(rooms)) await repair.readNext();
    if (this.isClosed) return;
    this.repairing = undefined;
    for (const gap of repair.gaps) this.hub.lost(gap, repair.upTo);
    const { missed } = repair;
    for (const event of missed) this.hub.event(event);
    const newest = missed.at(-1);
    if (newest !== undefined) {
      this.lastTaken = { position: newest.position, room: newest.rooms[0] ?? '' };
    }
    this.goOnAt(repair.upTo);
  }

  /** Whether the log lacks something that this process has seen. */
  private async isBack(at: Head, head: Head): Promise<boolean> {
    if (this.formerEpochs.has(head.epoch)) return true;
    if (head.epoch !== at.epoch) return false;
    if (this.hasGoneBack || head.position < at.position) return true;
    // mutant: the last delivered event is not looked up
    if (this.lastTaken === undefined) return false;
    return !(await hasHad(this.source.read, head.epoch, this.lastTaken));
  }

  private goOnAt(head: Head): void {
    this.startAt(head);
    this.hub.caughtUp(head);
  }

  private startAt(head: Head): void {
    if (this.at?.epoch !== head.epoch) {
      if (this.at !== undefined) this.formerEpochs.add(this.at.epoch);
      this.formerEpochs.delete(head.epoch);
      this.lastTaken = undefined;
      this.repairing = undefined;
    }
    this.hasGoneBack = false;
    this.isAtNotice = false;
    this.at = head;
    this.tail = new Tail(head.position, this.options.tailBytes);
  }

  /** Returns false if something is missing before the next notice. */
  private takeWaiting(): boolean {
    this.waiting.drain((notice) => this.take(notice));
    if (this.waiting.length > 0) this.mustRepair = true;
    return !this.mustRepair;
  }

  private take(notice: Notice): boolean {
    const { at } = this;
    if (at === undefined) return false;
    if (this.formerEpochs.has(notice.epoch)) {
      // All events of a former epoch were reported as lost, unless that epoch has come back.
      this.headCheck.soon();
      return true;
    }
    if (notice.epoch !== at.epoch) return false;
    if (notice.kind === 'ephemeral') {
      this.hub.event(notice.event);
      return true;
    }
    if (notice.position <= at.position) {
      // Usually the log was read up to here. If that is impossible, the log may have gone back.
      const isLower = notice.position < at.position;
      if (notice.kind === 'probe' ? isLower : this.isAtNotice) this.mustRepair = true;
      return true;
    }
    // mutant: a hole in the chain is not noticed
    if (notice.kind === 'probe' || notice.before > at.position) return false;
    if (notice.before < at.position) {
      this.hasGoneBack = true;
      return false;
    }
    const { event, previous, epoch, position, entries } = notice;
    this.tail.add(event, previous);
    this.at = { epoch, position, begin: at.begin, entries };
    this.isAtNotice = true;
    this.lastTaken = { position, room: event.rooms[0] ?? '' };
    this.hub.event(event);
    return true;
  }

  private pause(ms: number): Promise<void> {
    if (ms === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
