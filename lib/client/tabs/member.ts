import { Leadership } from './leadership.js';
import { compare, errorOf, type Hello, type Message } from './messages.js';
import type { Status, Welcome } from './messages.js';
import { SharedLog } from './shared-log.js';
import { SharedRooms } from './shared-rooms.js';
import type { Host, Surroundings } from './surroundings.js';
import { takeWelcome, welcomeFor } from './welcome.js';

/** How long a leader that knows nothing waits for a tab that knows more. */
const WELCOME_MS = 250;
/** A leader that was silent for this many ticks has lost the connection to another tab. */
export const MAX_SILENT_TICKS = 3;

/**
 * One of the tabs that share a stream. It knows no browser: all that it does to others is in its
 * `Surroundings`.
 *
 * The tab with the lock leads: it reads the stream and posts each event. Every tab, the leader too,
 * takes the events that it hears from the channel, so all tabs take the same events in the same
 * order. A tab that gets the lock posts a claim. When it hears that itself, it has heard all that
 * the leader before has posted, and resumes from there. Later messages of that leader do not count,
 * even if it still runs.
 */
export class Member {
  readonly log = new SharedLog();
  readonly rooms: SharedRooms;
  private phase: 'out' | 'entering' | 'in' = 'out';
  private inbox: Message[] = [];
  /** Counts what this tab has asked, so that it can tell a late answer. */
  private asked = 0;
  private isAwaiting = false;
  leading: Leadership | undefined;
  private current: Status = { state: 'connecting', error: undefined };
  private hellos: Hello[] = [];
  private silentTicks = 0;

  constructor(
    private readonly id: string,
    private readonly around: Surroundings,
    private readonly host: Host,
  ) {
    this.rooms = new SharedRooms(id, around);
  }

  /** Comes, or comes back after `leave()`. */
  enter(): void {
    if (this.phase !== 'out') return;
    this.around.open((message) => this.hear(message));
    this.ask();
    if (this.rooms.own.size > 0) this.rooms.announce();
    this.lock(false);
  }

  /** Leaves the others, for ever or until `enter()`. They keep the rooms of a frozen tab for it. */
  leave(isFrozen = false): void {
    if (this.phase === 'out') return;
    this.leading?.postCursor();
    if (!isFrozen) this.around.post({ kind: 'gone', from: this.id });
    this.phase = 'out';
    this.stop();
    this.around.unlock();
    this.around.close(isFrozen);
  }

  tick(): void {
    if (this.phase === 'out' || this.leading !== undefined) return;
    if (this.silentTicks++ > 0) this.around.post({ kind: 'ping', from: this.id });
    if (this.silentTicks <= MAX_SILENT_TICKS) return;
    this.silentTicks = 0;
    this.lock(true);
  }

  private ask(): void {
    const { log, host } = this;
    this.phase = 'entering';
    this.inbox = [];
    this.needsCursor();
    const { place, cursor = host.lastEventId } = log;
    this.around.post({ kind: 'hello', from: this.id, ask: ++this.asked, place, cursor });
  }

  /** Without a cursor, nothing can be gone on from: the connection begins where the server is. */
  private needsCursor(): void {
    if (this.log.cursor === undefined) this.log.place = { term: 0, n: 0 };
  }

  private lock(isStolen: boolean): void {
    this.around.lock(isStolen, this.claim, this.stepDown);
  }

  private readonly claim = (): void => {
    const term = Math.max(this.log.fence + 1, this.around.term());
    this.leading = new Leadership(term, this.around, this.rooms);
    const { place, cursor = this.host.lastEventId } = this.log;
    this.around.post({ kind: 'claim', from: this.id, ask: this.asked, term, place, cursor });
  };

  private stop(): void {
    this.leading?.end();
    this.leading = undefined;
    this.hellos = [];
    this.isAwaiting = false;
  }

  private readonly stepDown = (): void => {
    this.stop();
    if (this.phase === 'out') return;
    this.around.unlock();
    this.lock(false);
  };

  private hear(message: Message): void {
    if (this.phase === 'out') return;
    if ('term' in message && message.term >= this.log.fence) this.silentTicks = 0;
    switch (message.kind) {
      case 'hello':
        if (message.from === this.id || this.leading === undefined) return;
        this.hellos.push(message);
        return this.answer();
      case 'welcome':
        return this.welcome(message);
      case 'claim':
        return this.heardClaim(message);
      case 'start':
        return this.heardStart(message);
      case 'ping':
        return this.leading?.show();
      case 'rooms':
      case 'gone':
      case 'joined':
        // Again after the welcome, which may be older.
        if (this.phase === 'entering') this.inbox.push(message);
        this.rooms.hear(message);
        if (message.kind !== 'joined') this.leading?.updateRooms();
        return;
      default:
        if (this.phase === 'entering') this.inbox.push(message);
        else this.heardNews(message);
    }
  }

  private heardNews(message: Message & { kind: 'event' | 'status' | 'at' }): void {
    const { log, host } = this;
    if (message.kind === 'event') {
      const verdict = log.receive(message, message.entry);
      if (verdict === 'hole') this.missed();
      if (verdict === 'take') host.take(message.entry);
      this.answer();
    } else if (message.term < log.fence) return;
    else if (message.kind === 'status') this.heardStatus(message.status);
    else if (compare(message, log.place) > 0) this.missed();
  }

  /** Something was posted that this tab has not heard. */
  private missed(): void {
    if (this.leading) this.stepDown();
    this.ask();
  }

  private heardStatus(status: Status): void {
    this.current = status;
    if (status.state !== 'closed') {
      if (status.state === 'waiting') this.host.states.drop();
      this.answer();
      return this.host.status(status);
    }
    this.leave();
    const error = errorOf(status.error);
    this.host.end(error ? { reason: 'error', error } : { reason: 'server' });
  }

  private heardClaim({ term, ...hello }: Message & { kind: 'claim' }): void {
    const { log } = this;
    if (term < log.fence) return;
    log.fence = term;
    if (hello.from === this.id) {
      if (term === this.leading?.term) void this.prepare(term);
      return;
    }
    if (this.leading !== undefined) this.stepDown();
    if (log.cursor === undefined || compare(log.place, hello.place) <= 0) return;
    // The new leader lacks what this tab has, or can go on from its own cursor.
    const welcome = this.welcomeFor({ ...hello, kind: 'hello' }, term);
    if (!welcome.hasGap) this.around.post(welcome);
  }

  /** This tab has heard all that was posted before its claim. */
  private async prepare(term: number): Promise<void> {
    const hasOthers = this.phase === 'entering' && (await this.around.others()) > 0;
    const isAlone = !hasOthers || this.phase !== 'entering' || this.leading?.term !== term;
    if (isAlone) return this.start(term);
    this.isAwaiting = true;
    this.around.later(WELCOME_MS, () => this.start(term));
  }

  private start(term: number): void {
    const { log, leading } = this;
    if (leading?.term !== term || leading.hasBegun) return;
    this.isAwaiting = false;
    log.cursor ??= this.host.lastEventId;
    this.needsCursor();
    const { place, cursor } = log;
    this.around.post({ kind: 'start', from: this.id, term, place, cursor });
    leading.begin(cursor);
  }

  private heardStart({ from, term, place, cursor }: Message & { kind: 'start' }): void {
    const { log } = this;
    if (term < log.fence) return;
    log.fence = term;
    this.host.states.drop();
    // Once it has lost the lead, this tab may have gone on from the place of another tab.
    if (from === this.id && this.leading?.term === term) {
      if (log.place.term === 0) log.begin({ term, n: 0 }, log.cursor);
      this.phase = 'in';
      this.inbox = [];
      log.start(term, log.place, cursor);
      this.answer();
      // That tab knows nothing of the stream. Its answer to this one would be a gap.
    } else if (place.term === 0 && log.place.term > 0 && log.cursor !== undefined) {
      this.asked++;
      this.lock(true);
    } else if (this.phase === 'entering') this.ask();
    else if (!log.start(term, place, cursor)) this.ask();
    else if (!log.isAhead) this.host.moved(cursor);
  }

  private welcome(message: Welcome): void {
    const { log, host } = this;
    // An answer to an earlier hello may bring what this tab has by now. One that comes after this
    // tab has begun to lead without it is too late.
    const { to, term, ask, status } = message;
    const isStale =
      to !== this.id || term < log.fence || ask !== this.asked || this.leading?.hasBegun;
    if (this.phase !== 'entering' || isStale) return;
    this.phase = 'in';
    this.rooms.adopt(message);
    takeWelcome(message, log, host);
    if (this.leading === undefined) {
      this.current = status;
      host.status(status);
    }
    for (const heard of this.inbox.splice(0)) this.hear(heard);
    if (this.isAwaiting) this.start(this.leading!.term);
  }

  /** The leader's answers, once no state is half there. */
  private answer(): void {
    const { leading, log } = this;
    const isHeard = leading?.hasBegun && log.place.term === leading.term;
    if (!isHeard || this.phase !== 'in' || this.host.states.isMidState) return;
    for (const hello of this.hellos.splice(0)) {
      this.around.post(this.welcomeFor(hello, leading.term));
    }
  }

  private welcomeFor(hello: Hello, term: number): Welcome {
    return welcomeFor(hello, term, this.log, this.host, this.current, this.rooms.facts);
  }
}
