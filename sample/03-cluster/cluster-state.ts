/**
 * What the panel shows, as a message `cluster` on each stream: at its beginning and after each
 * change.
 */
export interface ClusterState {
  processes: ProcessState[];
  redis: {
    isUp: boolean;
    /** Only one that this sample has started. */
    canBeKilled: boolean;
  };
}

export interface ProcessState {
  /** From 1; the one that replaces it has the same. */
  number: number;
  pid: number;
  isAlive: boolean;
  connections: number;
}

/** What this sample's streams bring beside the events of the orders. */
export interface ClusterEvents {
  cluster: ClusterState;
}

/** From a process to the primary. */
export type ToPrimary =
  { connections: number } | { kill: number | 'redis' } | { dropElsewhere: string };

/** From the primary to each process. */
export type ToProcess = { cluster: ClusterState } | { drop: string };

/** In the environment of each process. */
export const PROCESS_NUMBER = 'PROCESS_NUMBER';
