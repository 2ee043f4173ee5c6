/**
 * What a page of the inspector shows: of all processes that share the log, or of the one that was
 * chosen. Times are milliseconds since the Unix epoch.
 * @publicApi
 */
export interface InspectorState {
  readonly at: number;
  /** The process that answers. */
  readonly process: { readonly id: string; readonly pid: number; readonly host: string };
  /** Whether other processes may share the log of the default hub: it is not in memory. */
  readonly isShared: boolean;
  /**
   * The process that answers, then all others that share the log of the default hub and have the
   * inspector. With the log in memory there are no others.
   */
  readonly processes: readonly InspectedProcess[];
  readonly connections: InspectedConnections;
  readonly rooms: InspectedRooms;
  readonly hubs: readonly InspectedHub[];
  /** What was counted since a page was opened; `null` while none is open. */
  readonly traffic: InspectedTraffic | null;
  readonly notes: InspectedNotes;
}

/**
 * The connections. All figures but `list` and `inspectors` are without the streams of the inspector
 * itself.
 * @publicApi
 */
export interface InspectedConnections {
  readonly open: number;
  /** Those that take nothing of their backlog. */
  readonly blocked: number;
  /** The backlogs of those. */
  readonly bufferedBytes: number;
  /** Streams of the inspector. */
  readonly inspectors: number;
  /** How many match the search, streams of the inspector included. */
  readonly found: number;
  /**
   * At most 200 that match, and at most 50 of each other process: those that take nothing first,
   * then the busiest.
   */
  readonly list: readonly InspectedConnection[];
  /** How many more match. */
  readonly leftOut: number;
}

/**
 * The rooms that somebody reads or that were published to lately. Of a hub with more than 20 000 of
 * them, each state looks for readers in another part.
 * @publicApi
 */
export interface InspectedRooms {
  /** Of several processes with long lists: at least so many. */
  readonly count: number;
  /** How many match the search. */
  readonly found: number;
  /** At most 200 that match, and at most 50 of each other process: the busiest first. */
  readonly list: readonly InspectedRoom[];
  readonly leftOut: number;
}

/**
 * One process of the app.
 * @publicApi
 */
export interface InspectedProcess {
  /** Random, new at each start. */
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  readonly open: number;
  readonly blocked: number;
  readonly bufferedBytes: number;
  /** Events handed to sockets. */
  readonly deliveredPerSecond: number;
  /** Why events do not reach it; `null`: they do. */
  readonly trouble: string | null;
  readonly heardAt: number;
  /** It has left three questions unanswered. It is listed for a minute, with its last figures. */
  readonly isGone: boolean;
}

/**
 * One open stream.
 * @publicApi
 */
export interface InspectedConnection {
  readonly id: string;
  /** The id of its process. */
  readonly process: string;
  /** Of the request, without its query, which may hold secrets. */
  readonly path: string;
  readonly address: string;
  readonly userAgent: string;
  readonly openedAt: number;
  /** Of its `data`, what the option `facts` shows: at most 10, long texts are cut. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  /** The name of the fact to revoke it by; `null`: none of them is a text or number of its `data`. */
  readonly revokeBy: string | null;
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
  /** Published by the processes that are shown. */
  readonly eventsPerSecond: number;
}

/**
 * One hub and its log.
 * @publicApi
 */
export interface InspectedHub {
  /** `''` is the default hub. */
  readonly name: string;
  /** Why its events do not reach the process that answers; `null`: they do. */
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
  /** Events published by the processes that are shown. */
  readonly published: number;
  /** Streams that began. */
  readonly opened: number;
  /** Missed events handed to clients that returned. */
  readonly replayed: number;
  /** Events left out for clients that take too little. */
  readonly dropped: number;
}

/**
 * The notable things since the process began.
 * @publicApi
 */
export interface InspectedNotes {
  readonly since: number;
  /** At most 50, the newest first. */
  readonly list: readonly InspectedNote[];
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
  /** The id of the process where it happened. */
  readonly process: string;
  /** How often; of drops, how many events. */
  readonly times: number;
}

/**
 * The last two minutes, one figure a second, the newest last: what a page begins its plots with.
 * @publicApi
 */
export interface InspectorSamples {
  readonly open: readonly number[];
  readonly bufferedBytes: readonly number[];
  readonly delivered: readonly number[];
  readonly bytes: readonly number[];
  readonly opened: readonly number[];
}

/**
 * The last events of a room.
 * @publicApi
 */
export interface InspectedRoomEvents {
  /** `false`: the hub keeps no history, so its events cannot be shown. */
  readonly isKept: boolean;
  /** At most 20, the oldest first. */
  readonly events: readonly InspectedEvent[];
}

/**
 * One event of a room.
 * @publicApi
 */
export interface InspectedEvent {
  readonly id: string;
  readonly type: string | null;
  readonly at: number;
  /** Of wire text. */
  readonly bytes: number;
  /** As text; beyond 2 000 characters cut. */
  readonly data: string;
}
