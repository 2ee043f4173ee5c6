import cluster from 'node:cluster';
import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import type { EventLogFactory } from '../log/event-log.js';
import { SseOptionsError } from '../ground/errors.js';
import { Hub } from './hub.js';
import type { HubOptions, HubsOptions } from './hub.options.js';
import { MemoryEventLog } from '../log/event-log-memory.js';
import { HISTORY_DEFAULTS } from '../log/history.options.js';
import { SSE_OPTIONS } from '../options/token.js';
import { defined } from '../options/defined.js';
import { warnOfSeveralProcesses } from '../ground/warnings.js';

/** A hub that was asked for, with the options it was asked for with. */
interface Entry {
  readonly options: HubOptions;
  readonly hub: Promise<Hub>;
}

/** All hubs of this process by name: a name means the same hub wherever it is asked for. */
@Injectable()
export class Hubs {
  private readonly byName = new Map<string, Entry>();
  /** Those that have started. */
  readonly running = new Set<Hub>();

  constructor(@Inject(SSE_OPTIONS) private readonly module: HubsOptions) {}

  /** @throws SseOptionsError where the name has other options elsewhere */
  open(name: string, own: HubOptions): Promise<Hub> {
    const { history, serialize } = this.module;
    const options = { history, serialize, ...defined(own) };
    let entry = this.byName.get(name);
    if (entry === undefined) {
      entry = { options, hub: this.run(started(name, options, this.module)) };
      this.byName.set(name, entry);
    } else if (!isDeepStrictEqual(entry.options, options)) {
      const expected = 'the same options in each forFeature() of this name';
      throw new SseOptionsError(`forFeature "${name}"`, expected, options);
    }
    return entry.hub;
  }

  private async run(starting: Promise<Hub>): Promise<Hub> {
    const hub = await starting;
    this.running.add(hub);
    return hub;
  }

  /** From now on data is made plain before it is published: nothing of its class reaches a log or a reader. */
  makePlain(toPlain: ((data: unknown) => unknown) | undefined): void {
    for (const hub of this.running) hub.toPlain = toPlain;
  }

  /** Why events do not reach this process, for the first hub that has trouble. */
  async trouble(): Promise<string | undefined> {
    for (const [name, { hub }] of this.byName) {
      const { trouble } = (await hub).log;
      if (trouble !== undefined) return name === '' ? trouble : `${name}: ${trouble}`;
    }
    return undefined;
  }

  /** Ends all streams of all hubs; nothing can be published afterwards. */
  async close(): Promise<void> {
    const entries = [...this.byName.values()];
    await Promise.allSettled(entries.map(async ({ hub }) => (await hub).close()));
  }
}

const inMemory: EventLogFactory = ({ history }) => {
  warnOfSeveralProcesses(process.env, cluster.isWorker);
  return new MemoryEventLog(history);
};

async function started(
  name: string,
  options: HubOptions,
  { log = inMemory, limits }: HubsOptions,
): Promise<Hub> {
  const history = { ...HISTORY_DEFAULTS, ...defined(options.history || {}) };
  const { serialize } = options;
  const hub = new Hub(log({ name, history, serialize }), options, name, limits);
  await hub.start();
  return hub;
}
