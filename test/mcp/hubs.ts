import { afterEach } from '@jest/globals';
import { SSE_DEFAULTS, type HubOptions } from 'nestjs-eventstream';
import { Hub } from '../../lib/hub/hub.js';
import type { EventLogFactory } from '../../lib/log/event-log-factory.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { STATE_DEFAULTS } from '../../lib/log/state.options.js';

const hubs: Hub[] = [];
afterEach(async () => void (await Promise.all(hubs.splice(0).map((hub) => hub.close()))));

export const inMemory: EventLogFactory = ({ history }) => new MemoryEventLog(history);

/** A hub that closes itself after the test. */
export async function openHub(log: EventLogFactory, maxEvents = 1_000): Promise<Hub> {
  const history = { ...SSE_DEFAULTS.history, maxEvents };
  const options: HubOptions = { history };
  const hub = new Hub(
    log({ name: '', history, state: STATE_DEFAULTS, serialize: undefined }),
    options,
  );
  hubs.push(hub);
  await hub.start();
  return hub;
}
