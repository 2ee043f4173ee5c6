import type { ClusterState } from './events.js';

/** From a process to the primary. */
export type ToPrimary =
  { connections: number } | { kill: number | 'redis' } | { dropElsewhere: string };

/** From the primary to each process. */
export type ToProcess = { cluster: ClusterState } | { drop: string };

/** In the environment of each process. */
export const PROCESS_NUMBER = 'PROCESS_NUMBER';
