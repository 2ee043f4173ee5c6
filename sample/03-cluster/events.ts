import { sseContract } from 'nestjs-eventstream/contract';
import * as z from 'zod';
import { orders } from '../02-orders/events.js';

const ProcessSchema = z.object({
  number: z.int().describe('From 1; the one that replaces it has the same.'),
  pid: z.int(),
  isAlive: z.boolean(),
  connections: z.int(),
});

const ClusterSchema = z.object({
  processes: z.array(ProcessSchema),
  redis: z.object({
    isUp: z.boolean(),
    canBeKilled: z.boolean().describe('Only one that this sample has started.'),
  }),
});

/** The stream of `02-orders`, and what the panel shows: at its beginning and after each change. */
export const sharedOrders = sseContract({
  path: orders.path,
  query: z.object({
    tab: z.string().min(1).max(30).optional().describe('Shows the reader to the others, by this.'),
  }),
  events: { ...orders.events, cluster: ClusterSchema },
});

/** A tab in one of the processes, as the roster of the room has it. */
export interface OpenTab {
  readonly name: string;
  readonly process: number;
  readonly pid: number;
}

export type ClusterState = z.infer<typeof ClusterSchema>;
export type ProcessState = z.infer<typeof ProcessSchema>;
