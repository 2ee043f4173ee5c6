/**
 * What the inspector knows of one process at one moment. Times are milliseconds since the Unix
 * epoch.
 * @publicApi
 */
export interface InspectorState {
  readonly at: number;
  readonly process: { readonly pid: number; readonly host: string };
  /** All figures but `list` and `inspectors` are without the streams of the inspector itself. */
  readonly connections: {
    readonly open: number;
    /** Those that take nothing of their backlog. */
    readonly blocked: number;
    /** The backlogs of all of them. */
    readonly bufferedBytes: number;
    /** Streams of the inspector. */
    readonly inspectors: number;
    /** At most 200: those that take nothing, then the busiest. */
    readonly list: readonly InspectedConnection[];
    /** How many more there are. */
    readonly leftOut: number;
  };
  /**
   * Those that somebody in this process reads or this process published to lately. Of a hub with
   * more than 20 000 of them each state looks for readers in another part.
   */
  readonly rooms: {
    readonly count: number;
    /** At most 200, the busiest first. */
    readonly list: readonly InspectedRoom[];
    readonly leftOut: number;
  };
  readonly hubs: readonly InspectedHub[];
  /** What was counted since somebody looks; `null` while nobody does. */
  readonly traffic: InspectedTraffic | null;
}

/**
 * One open stream.
 * @publicApi
 */
export interface InspectedConnection {
  readonly id: string;
  /** Of the request, without its query, which may hold secrets. */
  readonly path: string;
  readonly address: string;
  readonly userAgent: string;
  readonly openedAt: number;
  /** At most 10. */
  readonly rooms: readonly string[];
  readonly roomCount: number;
  readonly eventsPerSecond: number;
  readonly sentEvents: number;
  readonly sentBytes: number;
  readonly bufferedBytes: number;
  readonly droppedEvents: number;
  readonly isBlocked: boolean;
  /** A stream of the inspector itself. */
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
  /** Published by this process. */
  readonly eventsPerSecond: number;
}

/**
 * One hub and its log.
 * @publicApi
 */
export interface InspectedHub {
  /** `''` is the default hub. */
  readonly name: string;
  /** Why its events do not reach this process; `null`: they do. */
  readonly trouble: string | null;
}

/**
 * What was counted. Rates are those of the last five seconds.
 * @publicApi
 */
export interface InspectedTraffic {
  readonly since: number;
  readonly total: TrafficFigures;
  readonly perSecond: TrafficFigures;
  /** How many for each reason. */
  readonly closes: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Record<string, number>>;
  readonly gaps: Readonly<Record<string, number>>;
  /** At most 50, the newest first. */
  readonly notes: readonly InspectedNote[];
}

/**
 * How much, in all or per second.
 * @publicApi
 */
export interface TrafficFigures {
  /** Events handed to sockets. */
  readonly delivered: number;
  /** Bytes handed to sockets. */
  readonly bytes: number;
  /** Events published by this process. */
  readonly published: number;
  /** Streams that began. */
  readonly opened: number;
  /** Missed events handed to clients that returned. */
  readonly replayed: number;
  /** Events left out for clients that take too little. */
  readonly dropped: number;
}

/**
 * Something that should be seen.
 * @publicApi
 */
export interface InspectedNote {
  readonly at: number;
  readonly kind: 'gap' | 'drop' | 'stall' | 'refuse' | 'error' | 'log';
  readonly text: string;
  /** The id of the connection that it is about. */
  readonly connection: string | null;
  /** How often; of drops, how many events. */
  readonly times: number;
}

/** The first `count` items in the order of `compare`; most of many items cost one comparison. */
export function firstOf<T>(
  items: Iterable<T>,
  count: number,
  compare: (one: T, other: T) => number,
): T[] {
  const first: T[] = [];
  /** Nothing that comes after it is among the first. */
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
