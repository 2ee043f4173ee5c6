import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { Broadcaster } from './broadcaster.js';
import type { EventLogFactory } from './event-log.js';
import { SseOptionsError } from './errors.js';
import type { HubOptions } from './hub.options.js';
import { MemoryEventLog } from './event-log-memory.js';
import { SSE_DEFAULTS } from './sse.options.js';
import { defined } from './stream-settings.js';

interface Hub {
  readonly options: HubOptions;
  readonly broadcaster: Promise<Broadcaster>;
}

/** All hubs of this process by name: a name means the same hub wherever it is asked for. */
@Injectable()
export class Hubs {
  private readonly hubs = new Map<string, Hub>();

  /** @throws SseOptionsError where the name has other options elsewhere */
  open(name: string, options: HubOptions, log?: EventLogFactory): Promise<Broadcaster> {
    let hub = this.hubs.get(name);
    if (hub === undefined) {
      hub = { options, broadcaster: started(name, options, log) };
      this.hubs.set(name, hub);
    } else if (!isDeepStrictEqual(hub.options, options)) {
      const expected = 'the same options in each forFeature() of this name';
      throw new SseOptionsError(`forFeature "${name}"`, expected, options);
    }
    return hub.broadcaster;
  }

  /** The hubs by name; the default hub is `''`. */
  async all(): Promise<Map<string, Broadcaster>> {
    const hubs = [...this.hubs].map(
      async ([name, { broadcaster }]) => [name, await broadcaster] as const,
    );
    return new Map(await Promise.all(hubs));
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

async function started(
  name: string,
  options: HubOptions,
  makeLog: EventLogFactory = ({ history }) => new MemoryEventLog(history),
): Promise<Broadcaster> {
  const history = { ...SSE_DEFAULTS.history, ...defined(options.history || {}) };
  const { serialize } = options;
  const broadcaster = new Broadcaster(makeLog({ name, history, serialize }), options, name);
  await broadcaster.start();
  return broadcaster;
}
