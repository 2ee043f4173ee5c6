/**
 * The state of one process at one moment. Times are milliseconds since the Unix epoch.
 * @publicApi
 */
export interface InspectorState {
  readonly at: number;
  readonly process: { readonly pid: number; readonly host: string };
  /** Only `list` and `inspectors` include the streams of the inspector itself. */
  readonly connections: {
    readonly open: number;
    /** The number of clients that read nothing of their backlog. */
    readonly blocked: number;
    /** The size of all backlogs. */
    readonly bufferedBytes: number;
    /** The number of streams of the inspector. */
    readonly inspectors: number;
    /** At most 200: blocked connections first, then the busiest. */
    readonly list: readonly InspectedConnection[];
    /** The number of connections that are not in `list`. */
    readonly leftOut: number;
  };
  /**
   * Rooms with readers in this process, or to which this process has published lately. For a hub
   * with more than 20 000 rooms, each state examines another part of them.
   */
  readonly rooms: {
    readonly count: number;
    /** At most 200, busiest first. */
    readonly list: readonly InspectedRoom[];
    readonly leftOut: number;
  };
  readonly hubs: readonly InspectedHub[];
  /** Counted since the page was opened; `null` while it is not open. */
  readonly traffic: InspectedTraffic | null;
}

/**
 * One open stream.
 * @publicApi
 */
export interface InspectedConnection {
  readonly id: string;
  /** The path of the request. The query is left out, because it may hold secrets. */
  readonly path: string;
  readonly address: string;
  readonly userAgent: string;
  readonly openedAt: number;
  /** At most 10 rooms. */
  readonly rooms: readonly string[];
  readonly roomCount: number;
  readonly eventsPerSecond: number;
  readonly sentEvents: number;
  readonly sentBytes: number;
  readonly bufferedBytes: number;
  readonly droppedEvents: number;
  readonly isBlocked: boolean;
  /** Whether it is a stream of the inspector itself. */
  readonly isInspector: boolean;
}

/**
 * One room of a hub.
 * @publicApi
 */
export interface InspectedRoom {
  /** `''` is the default hub. */
  readonly hub: string;
  readonly name: string;
  readonly connections: number;
  /** Events that this process publishes to the room. */
  readonly eventsPerSecond: number;
}

/**
 * One hub and its log.
 * @publicApi
 */
export interface InspectedHub {
  /** `''` is the default hub. */
  readonly name: string;
  /** Why its events do not reach this process; `null` if they do. */
  readonly trouble: string | null;
}

/**
 * Counts since the page was opened. Rates are of the last five seconds.
 * @publicApi
 */
export interface InspectedTraffic {
  readonly since: number;
  readonly total: TrafficFigures;
  readonly perSecond: TrafficFigures;
  /** Ended streams, by reason. */
  readonly closes: Readonly<Record<string, number>>;
  /** Refused connections, by reason. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Reported gaps, by reason. */
  readonly gaps: Readonly<Record<string, number>>;
  /** At most 50, newest first. */
  readonly notes: readonly InspectedNote[];
}

/**
 * Counts: totals, or per second.
 * @publicApi
 */
export interface TrafficFigures {
  /** Events written to sockets. */
  readonly delivered: number;
  /** Bytes written to sockets. */
  readonly bytes: number;
  /** Events published by this process. */
  readonly published: number;
  /** Streams that began. */
  readonly opened: number;
  /** Missed events replayed to returning clients. */
  readonly replayed: number;
  /** Events dropped for clients that read too slowly. */
  readonly dropped: number;
}

/**
 * A notable event, such as a gap or an error.
 * @publicApi
 */
export interface InspectedNote {
  readonly at: number;
  readonly kind: 'gap' | 'drop' | 'stall' | 'refuse' | 'error' | 'log';
  readonly text: string;
  /** The id of the connection, if it is about one. */
  readonly connection: string | null;
  /** How often it happened; for drops, the number of events. */
  readonly times: number;
}

/** The first `count` items in the order of `compare`. Most items cost only one comparison. */
export function firstOf<T>(
  items: Iterable<T>,
  count: number,
  compare: (one: T, other: T) => number,
): T[] {
  const first: T[] = [];
  /** No item that sorts after this one is among the first. */
  let last: T | undefined;
  for (const item of items) {
    if (last !== undefined && compare(item, last) >= 0) continue;
    first.push(item);
    if (first.length < 2 * count) continue;
    first.sort(compare).length = count;
    last = first.at(-1);
  }
  return first.sort(compare).slice(0, count);
}
