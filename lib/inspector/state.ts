/**
 * The state of all processes that share the log, or of one of them. Times are milliseconds since
 * the Unix epoch.
 * @publicApi
 */
export interface InspectorState {
  readonly at: number;
  /** The process that answers. */
  readonly process: { readonly id: string; readonly pid: number; readonly host: string };
  /** Whether other processes can share the log of the default hub, because it is not in memory. */
  readonly isShared: boolean;
  /**
   * The process that answers, then the others that share the log of the default hub and import the
   * inspector. With the log in memory, only the process that answers.
   */
  readonly processes: readonly InspectedProcess[];
  readonly connections: InspectedConnections;
  readonly rooms: InspectedRooms;
  readonly hubs: readonly InspectedHub[];
  /** Counted since a page was opened; `null` while none is open. */
  readonly traffic: InspectedTraffic | null;
  readonly notes: InspectedNotes;
}

/**
 * The connections. Only `found`, `list` and `inspectors` include the streams of the inspector
 * itself.
 * @publicApi
 */
export interface InspectedConnections {
  readonly open: number;
  /** The number of clients that read nothing of their backlog. */
  readonly blocked: number;
  /** The size of their backlogs. */
  readonly bufferedBytes: number;
  /** The number of streams of the inspector. */
  readonly inspectors: number;
  /** The number of connections that match the search. */
  readonly found: number;
  /**
   * At most 200 matches, and at most 50 of each other process: blocked connections first, then the
   * busiest.
   */
  readonly list: readonly InspectedConnection[];
  /** The number of matches that are not in `list`. */
  readonly leftOut: number;
}

/**
 * Rooms with readers, or to which a process has published lately. For a hub with more than 20 000
 * rooms, each state examines another part of them.
 * @publicApi
 */
export interface InspectedRooms {
  /** A lower bound if the lists of several processes are cut. */
  readonly count: number;
  /** The number of rooms that match the search. */
  readonly found: number;
  /** At most 200 matches, and at most 50 of each other process, busiest first. */
  readonly list: readonly InspectedRoom[];
  readonly leftOut: number;
}

/**
 * One process of the app.
 * @publicApi
 */
export interface InspectedProcess {
  /** Random; new at each start. */
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  readonly open: number;
  readonly blocked: number;
  readonly bufferedBytes: number;
  /** Events written to sockets. */
  readonly deliveredPerSecond: number;
  /** Why events do not reach it; `null` if they do. */
  readonly trouble: string | null;
  readonly heardAt: number;
  /** Whether it no longer answers. It stays in the list for a minute, with its last figures. */
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
  /** The path of the request. The query is left out, because it may hold secrets. */
  readonly path: string;
  readonly address: string;
  readonly userAgent: string;
  readonly openedAt: number;
  /** What the option `facts` shows of its `data`. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  /** The fact by which the page can revoke it; `null` if it has none of the facts. */
  readonly revokeBy: string | null;
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
  /** Events that the processes publish to the room. */
  readonly eventsPerSecond: number;
}

/**
 * One hub and its log.
 * @publicApi
 */
export interface InspectedHub {
  /** `''` is the default hub. */
  readonly name: string;
  /** Why its events do not reach the process that answers; `null` if they do. */
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
  /** Events published by the processes. */
  readonly published: number;
  /** Streams that began. */
  readonly opened: number;
  /** Missed events replayed to returning clients. */
  readonly replayed: number;
  /** Events dropped for clients that read too slowly. */
  readonly dropped: number;
}

/**
 * Notable events since the process began.
 * @publicApi
 */
export interface InspectedNotes {
  readonly since: number;
  /** At most 50, newest first. */
  readonly list: readonly InspectedNote[];
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
  /** The id of the process. */
  readonly process: string;
  /** How often it happened; for drops, the number of events. */
  readonly times: number;
}

/**
 * The last two minutes, one figure per second, newest last. The plots of a page begin with them.
 * @publicApi
 */
export interface InspectorSamples {
  readonly open: readonly number[];
  readonly bufferedBytes: readonly number[];
  readonly delivered: readonly number[];
  readonly bytes: readonly number[];
  readonly opened: readonly number[];
}
