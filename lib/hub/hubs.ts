import cluster from 'node:cluster';
import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import { Broadcaster } from './broadcaster.js';
import type { EventLogFactory } from '../log/event-log.js';
import { SseOptionsError } from '../ground/errors.js';
import type { HubOptions, HubsOptions } from './hub.options.js';
import { MemoryEventLog } from '../log/event-log-memory.js';
import { SSE_DEFAULTS } from '../options/defaults.js';
import { SSE_OPTIONS } from '../options/token.js';
import { defined } from '../options/defined.js';
import { warnOfSeveralProcesses } from '../ground/warnings.js';

interface Hub {
  readonly options: HubOptions;
  readonly broadcaster: Promise<Broadcaster>;
}

/** All hubs of this process by name: a name means the same hub wherever it is asked for. */
@Injectable()
export class Hubs {
  private readonly hubs = new Map<string, Hub>();
  /** Those that have started, with their names. */
  readonly running = new Map<Broadcaster, string>();

  constructor(@Inject(SSE_OPTIONS) private readonly module: HubsOptions) {}

  /** @throws SseOptionsError where the name has other options elsewhere */
  open(name: string, own: HubOptions): Promise<Broadcaster> {
    const { history, serialize } = this.module;
    const options = { history, serialize, ...defined(own) };
    let hub = this.hubs.get(name);
    if (hub === undefined) {
      hub = { options, broadcaster: this.run(name, started(name, options, this.module)) };
      this.hubs.set(name, hub);
    } else if (!isDeepStrictEqual(hub.options, options)) {
      const expected = 'the same options in each forFeature() of this name';
      throw new SseOptionsError(`forFeature "${name}"`, expected, options);
    }
    return hub.broadcaster;
  }

  private async run(name: string, starting: Promise<Broadcaster>): Promise<Broadcaster> {
    const broadcaster = await starting;
    this.running.set(broadcaster, name);
    return broadcaster;
  }

  /** What is published from now on is made plain before: nothing of its class reaches a log or a reader. */
  makePlain(toPlain: ((data: unknown) => unknown) | undefined): void {
    for (const broadcaster of this.running.keys()) broadcaster.toPlain = toPlain;
  }

  /** Why events do not reach this process, for the first hub that has trouble. */
  async trouble(): Promise<string | undefined> {
    for (const [name, { broadcaster }] of this.hubs) {
      const { trouble } = (await broadcaster).log;
      if (trouble !== undefined) return name === '' ? trouble : `${name}: ${trouble}`;
    }
    return undefined;
  }

  /** Ends all streams of all hubs; nothing can be published afterwards. */
  async close(): Promise<void> {
    const hubs = [...this.hubs.values()];
    await Promise.allSettled(hubs.map(async ({ broadcaster }) => (await broadcaster).close()));
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
): Promise<Broadcaster> {
  const history = { ...SSE_DEFAULTS.history, ...defined(options.history || {}) };
  const { serialize } = options;
  const broadcaster = new Broadcaster(log({ name, history, serialize }), options, name, limits);
  await broadcaster.start();
  return broadcaster;
}
