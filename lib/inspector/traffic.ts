import type { SseConnection } from '../connection/sse-connection.js';
import { listen, type DiagnosticsListeners } from '../hub/listen.js';
import { shortened } from './notes.js';
import type { InspectedTraffic, TrafficFigures } from './state.js';
import { isReserved } from '../wire/room-names.js';

/** Rates are averages over this many intervals. */
const WINDOW = 5;
/** Bounds, because apps choose close reasons and room names. */
const MAX_REASONS = 50;
const MAX_ROOMS = 10_000;

interface Interval {
  readonly from: number;
  /** The totals when the interval began. */
  readonly before: TrafficFigures;
  readonly byConnection: Map<SseConnection, number>;
  readonly byHub: Map<string, Map<string, number>>;
}

/** Counts what the diagnostics channels report, until `stop()`. */
export class Traffic {
  private readonly since = Date.now();
  private readonly total = {
    delivered: 0,
    bytes: 0,
    published: 0,
    opened: 0,
    replayed: 0,
    dropped: 0,
  };
  private readonly closes = new Map<string, number>();
  private readonly refusals = new Map<string, number>();
  private readonly gaps = new Map<string, number>();
  private now = this.newInterval();
  private intervals = [this.now];
  readonly stop: () => void;

  /** @param isOwn whether a connection is the inspector's, which is not counted */
  constructor(isOwn: (connection: SseConnection) => boolean) {
    const ofOthers = Object.entries(this.listeners).map(([name, listener]) => [
      name,
      (message: { connection?: SseConnection }) => {
        const { connection } = message;
        if (connection !== undefined && isOwn(connection)) return;
        (listener as (message: unknown) => void)(message);
      },
    ]);
    this.stop = listen('The inspector', Object.fromEntries(ofOthers) as DiagnosticsListeners);
  }

  /** Begins the next interval. Called at regular times. */
  nextInterval(): void {
    this.now = this.newInterval();
    this.intervals = [...this.intervals, this.now].slice(-WINDOW);
  }

  /** Events per second, of each connection that got events. */
  perConnection(): Map<SseConnection, number> {
    return this.ratesOf(this.intervals.map(({ byConnection }) => byConnection));
  }

  /** Events per second, of each room of the hub that got events. */
  perRoom(hub: string): Map<string, number> {
    return this.ratesOf(this.intervals.flatMap(({ byHub }) => byHub.get(hub) ?? []));
  }

  report(): InspectedTraffic {
    const { since, total, closes, refusals, gaps } = this;
    const before = this.intervals[0]?.before ?? total;
    const perSecond = { ...total };
    for (const name of Object.keys(total) as (keyof TrafficFigures)[]) {
      perSecond[name] = this.rateOf(total[name] - before[name]);
    }
    return {
      since,
      total: { ...total },
      perSecond,
      closes: Object.fromEntries(closes),
      refusals: Object.fromEntries(refusals),
      gaps: Object.fromEntries(gaps),
    };
  }

  private readonly listeners: DiagnosticsListeners = {
    open: () => {
      this.total.opened += 1;
    },
    close: ({ reason }) => {
      count(this.closes, shortened(String(reason)), 1, MAX_REASONS);
    },
    refuse: ({ reason }) => {
      count(this.refusals, reason, 1, MAX_REASONS);
    },
    publish: ({ hub, rooms }) => {
      this.total.published += 1;
      const { byHub } = this.now;
      const byRoom = byHub.get(hub) ?? new Map<string, number>();
      byHub.set(hub, byRoom);
      for (const room of rooms) if (!isReserved(room)) count(byRoom, room, 1, MAX_ROOMS);
    },
    deliver: ({ connection, events, bytes }) => {
      this.total.delivered += events;
      this.total.bytes += bytes;
      if (events > 0) count(this.now.byConnection, connection, events);
    },
    replay: ({ events }) => {
      this.total.replayed += events;
    },
    drop: ({ events }) => {
      this.total.dropped += events;
    },
    gap: ({ reason }) => {
      count(this.gaps, reason, 1, MAX_REASONS);
    },
  };

  private newInterval(): Interval {
    const before = { ...this.total };
    return { from: performance.now(), before, byConnection: new Map(), byHub: new Map() };
  }

  private ratesOf<Key>(intervals: readonly ReadonlyMap<Key, number>[]): Map<Key, number> {
    const sums = new Map<Key, number>();
    for (const counts of intervals) for (const [key, times] of counts) count(sums, key, times);
    for (const [key, sum] of sums) sums.set(key, this.rateOf(sum));
    return sums;
  }

  /**
   * The rate per second. Within the first second it is calculated as for a whole second: over a few
   * milliseconds, a single event would look like a high rate.
   */
  private rateOf(counted: number): number {
    const ms = performance.now() - (this.intervals[0]?.from ?? 0);
    return Math.round((counted / Math.max(1_000, ms)) * 10_000) / 10;
  }
}

function count<Key>(counts: Map<Key, number>, key: Key, times: number, maxKeys = Infinity): void {
  const before = counts.get(key);
  if (before !== undefined || counts.size < maxKeys) counts.set(key, (before ?? 0) + times);
}
