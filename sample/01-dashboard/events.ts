/** One room for each source of figures. */
export const ROOMS = ['cpu', 'memory', 'load', 'network', 'disk', 'event-loop', 'streams'] as const;

export type Room = (typeof ROOMS)[number];

/** When a sample was taken, in milliseconds since the Unix epoch. */
interface Sample {
  at: number;
}

export interface CpuSample extends Sample {
  /** How busy each core was, in percent. */
  cores: number[];
}

export interface MemorySample extends Sample {
  usedBytes: number;
  totalBytes: number;
  /** What this process has in memory. */
  processBytes: number;
}

/** How many processes ran or waited, as averages over one, five and fifteen minutes. */
export interface LoadSample extends Sample {
  one: number;
  five: number;
  fifteen: number;
}

/** Bytes per second. */
export interface NetworkSample extends Sample {
  received: number;
  sent: number;
  /** Between processes of this machine, such as this server and a browser beside it. */
  loopback: number;
  interfaces: string[];
}

/** Bytes per second. */
export interface DiskSample extends Sample {
  read: number;
  written: number;
  devices: string[];
}

/** By how many milliseconds timers came late, over the last two seconds. */
export interface EventLoopSample extends Sample {
  p50: number;
  p99: number;
  max: number;
}

/** What the library does for all of this. */
export interface StreamsSample extends Sample {
  connections: number;
  /** Events per second. */
  published: number;
  /** Events per second, counted once for each stream that got them. */
  delivered: number;
  /** The backlogs of slow clients. */
  bufferedBytes: number;
}

/** Instead of a room's figures where the platform does not have them. */
export interface Unavailable extends Sample {
  /** Why. */
  unavailable: string;
}

/** The first event of every connection: samples up to `at` are older than the connection. */
export interface Connected {
  at: number;
  /** Names the connection, for `POST /connections/:id/drop`. */
  connection: string;
}

export interface Samples {
  cpu: CpuSample;
  memory: MemorySample;
  load: LoadSample;
  network: NetworkSample;
  disk: DiskSample;
  'event-loop': EventLoopSample;
  streams: StreamsSample;
}

/**
 * How many entries a room has: one for each second of the last minute. A new sample replaces the
 * one of a minute ago.
 */
export const KEPT = 60;

/** The state of each room, by keys from `0` to `59`. */
export type RoomState<Name extends Room = Room> = Record<string, Samples[Name] | Unavailable>;
