import { Logger } from '@nestjs/common';
import type { Position } from '../cursor.js';
import { diagnostics } from '../diagnostics.js';
import { describe } from '../errors.js';
import type { Head, LogFollower } from '../event-log.js';
import { inOrder, type Missed } from '../resume.js';
import { StoredEvent } from './event-text.js';
import { Tail } from './tail.js';

/** Where a follower gets what no notification told it. */
export interface FollowerSource {
  head(): Promise<Head>;
  /** What a client of these rooms would have missed. */
  missed(rooms: readonly string[], after: Head, upTo: Head): Promise<Missed>;
  /** Whether the log has, or had, this event. */
  had(event: { readonly room: string; readonly position: Position }): Promise<boolean>;
  /** Lets everybody who follows hear where the log stands, on the way that events take. */
  probe(): Promise<void>;
  listenAnew(): void;
}

/** Beyond it notifications are let go of: what they told is read when the log answers again. */
const MAX_WAITING = 10_000;
const MAX_RETRY_MS = 2_000;
/** So many probes in a row are sent and not heard before the subscription is made anew. */
const MAX_MISSES = 2;

/**
 * One process on its way along the log. Each notification names the position of the event before it, so that a missing one
 * shows; what is missing is then read, as a client that returns would, and handed on in its place.
 */
export class Follower {
  tail: Tail;
  private at: Head | undefined;
  private lastTaken: { readonly room: string; readonly position: Position } | undefined;
  private readonly formerEpochs = new Set<string>();
  /** Notifications that wait until what was before them is known. */
  private readonly waiting: string[] = [];
  private isBehind = true;
  private mustRepair = false;
  private isListening = true;
  private isClosed = false;
  private awayBecause: string | undefined;
  private unansweredBecause: string | undefined;
  private heardAt = performance.now();
  private misses = 0;
  private isProbing = false;
  private timer: NodeJS.Timeout | undefined;
  private wake: (() => void) | undefined;

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
  }

  /** Where this process has come to; `undefined` before it began. */
  get head(): Head | undefined {
    return this.at;
  }

  get trouble(): string | undefined {
    return this.awayBecause ?? this.unansweredBecause;
  }

  /** To be called when notifications come, so that none is missing between the head and the first of them. */
  async begin(): Promise<Head> {
    const head = await this.source.head();
    this.startAt(head);
    this.mustRepair = false;
    this.timer = setInterval(this.check, this.options.probeIntervalMs);
    this.timer.unref();
    // Not before the caller knows the head.
    setImmediate(() => void this.catchUp());
    return head;
  }

  close(): void {
    this.isClosed = true;
    clearInterval(this.timer);
    this.wake?.();
  }

  message(text: string): void {
    this.heardAt = performance.now();
    this.isProbing = false;
    this.misses = 0;
    this.unansweredBecause = undefined;
    this.waiting.push(text);
    if (this.waiting.length > MAX_WAITING) this.waiting.length = 0;
    if (!this.isBehind && !this.takeWaiting()) void this.catchUp();
  }

  /** Notifications come again; those of meanwhile did not. */
  subscribed(): void {
    this.isListening = true;
    this.heardAt = performance.now();
    this.mustRepair = true;
    if (!this.isBehind) void this.catchUp();
  }

  away(why: string): void {
    if (this.isListening) this.heardAt = performance.now();
    this.isListening = false;
    if (this.isClosed) return;
    if (this.awayBecause === undefined) {
      logger.warn(`Events do not arrive: ${why}. Streams stay open and get them later`);
      diagnostics.log.publish({ hub: this.options.hub, trouble: why });
    }
    this.awayBecause = why;
  }

  /** Until nothing is missing. While the log does not answer, the streams wait. */
  private async catchUp(): Promise<void> {
    this.isBehind = true;
    let failures = 0;
    while (!this.isClosed && (this.mustRepair || !this.takeWaiting())) {
      try {
        this.mustRepair = false;
        await this.repair();
        failures = 0;
      } catch {
        this.mustRepair = true;
        await this.pause(Math.random() * Math.min(MAX_RETRY_MS, 50 * 2 ** failures++));
      }
    }
    this.isBehind = false;
    if (!this.isListening || this.isClosed) return;
    if (this.awayBecause === undefined) return;
    this.awayBecause = undefined;
    logger.log('Events arrive again');
    diagnostics.log.publish({ hub: this.options.hub, trouble: undefined });
  }

  /** As a client's resume, of all rooms that are read here. */
  private async repair(): Promise<void> {
    const { at } = this;
    if (at === undefined) return;
    const heardBefore = new Set(this.waiting.map((text) => noticeOf(text).epoch));
    const head = await this.source.head();
    // A log may come and go while nobody here listens: what was heard of it before the head was asked for is of the past.
    for (const epoch of heardBefore) if (epoch !== head.epoch) this.formerEpochs.add(epoch);
    const { lastTaken } = this;
    if (head.epoch === at.epoch && lastTaken?.position === at.position) {
      // After a fail-over to a server without our last event, others may be there that we do not know of.
      if (!(await this.source.had(lastTaken))) this.tellUnknown();
      this.lastTaken = undefined;
    }
    // What was handed on stays so.
    if (head.epoch === at.epoch && head.position <= at.position) return;
    const found = head.epoch === at.epoch ? await this.missed(at, head) : [];
    if (this.isClosed) return;
    for (const { gaps } of found) for (const gap of gaps) this.hub.lost(gap);
    for (const event of inOrder(found.flatMap(({ events }) => events))) this.hub.event(event);
    this.startAt(head);
    this.hub.caughtUp(head);
  }

  /** Also of rooms that somebody begins to read meanwhile: whoever resumes here is handed what comes after `at`. */
  private async missed(at: Head, head: Head): Promise<Missed[]> {
    const known = new Set<string>();
    const found: Missed[] = [];
    for (;;) {
      const rooms = this.hub.rooms().filter((room) => !known.has(room));
      if (rooms.length === 0) return found;
      for (const room of rooms) known.add(room);
      found.push(await this.source.missed(rooms, at, head));
    }
  }

  private startAt(head: Head): void {
    if (this.at !== undefined) this.formerEpochs.add(this.at.epoch);
    // After a fail-over it may be one that had ended.
    this.formerEpochs.delete(head.epoch);
    this.at = head;
    this.tail = new Tail(head.position, this.options.tailBytes);
  }

  /** Answers false where something is missing before the next notification. */
  private takeWaiting(): boolean {
    let taken = 0;
    while (taken < this.waiting.length && this.take(this.waiting[taken] ?? '')) taken++;
    this.waiting.splice(0, taken);
    this.mustRepair = this.waiting.length > 0;
    return !this.mustRepair;
  }

  private take(text: string): boolean {
    const { at } = this;
    if (at === undefined) return false;
    const { kind, epoch, place, before, inRooms, end } = noticeOf(text);
    // Of a log that is no more: it was told as lost with all the others.
    if (this.formerEpochs.has(epoch)) return true;
    if (epoch !== at.epoch) return false;
    if (kind === 'p') return Number(place) <= at.position;
    if (kind === 'e') {
      this.hub.event(new StoredEvent(epoch, undefined, text, end + 1));
      return true;
    }
    const position = Number(place);
    // It was read from the log already.
    if (position <= at.position) return true;
    if (Number(before) > at.position) return false;
    // After a fail-over the log goes on from an earlier point.
    if (Number(before) < at.position) this.tellUnknown();
    const event = new StoredEvent(epoch, position, text, end + 1);
    const previous: Position[] = inRooms.split(',').map(Number);
    this.tail.add(event, previous, text.length);
    this.at = { epoch, position };
    this.lastTaken = { position, room: event.rooms[0] ?? '' };
    this.hub.event(event);
    return true;
  }

  /** What the log had before it goes on is not known here. */
  private tellUnknown(): void {
    this.hub.lost({ rooms: this.hub.rooms(), reason: 'unknown' });
  }

  private readonly check = (): void => {
    const { probeIntervalMs } = this.options;
    if (performance.now() - this.heardAt < 2 * probeIntervalMs) return;
    if (!this.isListening) {
      // It may have been refused, or have died on the way, where nobody tells.
      this.heardAt = performance.now();
      this.source.listenAnew();
      return;
    }
    if (this.isProbing && ++this.misses >= MAX_MISSES) {
      this.isProbing = false;
      this.misses = 0;
      this.away('what is published does not come back');
      this.source.listenAnew();
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

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** The first line of a notification, and where it ends. */
function noticeOf(text: string) {
  const end = text.indexOf('\n');
  const line = end === -1 ? text : text.slice(0, end);
  const [kind = '', epoch = '', place = '', before = '', inRooms = ''] = line.split(' ');
  return { kind, epoch, place, before, inRooms, end };
}

const logger = new Logger('Sse');
