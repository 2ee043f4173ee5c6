import { Gauge } from 'prom-client';
import type { Hub } from '../hub/hub.js';
import type { Hubs } from '../hub/hubs.js';
import type { SsePrometheusOptions } from './prometheus.options.js';

/** Creates the options that all metrics share. */
export type Describe = (
  name: string,
  help: string,
) => { name: string; help: string; registers: [NonNullable<SsePrometheusOptions['registry']>] };

/** Registers the metrics of hubs, which are computed at each scrape. */
export function askHubs(describe: Describe, hubs: Hubs): void {
  const logs = new Gauge({
    ...describe('sse_log_up', 'Whether the events of a hub reach this process'),
    labelNames: ['hub'],
    aggregator: 'min',
    collect() {
      for (const { name, log } of hubs.running) {
        logs.set({ hub: name }, log.trouble === undefined ? 1 : 0);
      }
    },
  });
  const members = new Gauge({
    ...describe('sse_members', 'Members of rooms that are connected to this process'),
    labelNames: ['hub'],
    collect() {
      for (const { name, usedPresence } of hubs.running) {
        members.set({ hub: name }, usedPresence?.count ?? 0);
      }
    },
  });
  const entries = new Gauge({
    ...describe('sse_state_entries', 'Entries of all state rooms of a hub, of all processes'),
    labelNames: ['hub'],
    aggregator: 'max',
    async collect() {
      const all = [...hubs.running].map(async (hub) => {
        const count = await entryCount(hub);
        if (count === undefined) entries.remove({ hub: hub.name });
        else entries.set({ hub: hub.name }, count);
      });
      await Promise.all(all);
    },
  });
}

/** Asks the log only once there are entries. `undefined` if it cannot be reached. */
async function entryCount({ log, delivery }: Hub): Promise<number | undefined> {
  if (!delivery.hasState) return 0;
  try {
    return (await log.head()).entries ?? 0;
  } catch {
    return undefined;
  }
}
