import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { Broadcaster, type HubOptions } from './broadcaster.js';
import { SseOptionsError } from './errors.js';
import { MemoryEventLog } from './event-log-memory.js';

interface Hub {
  readonly options: HubOptions;
  readonly broadcaster: Promise<Broadcaster>;
}

/** All hubs of this process by name: a name means the same hub wherever it is asked for. */
@Injectable()
export class Hubs {
  private readonly hubs = new Map<string, Hub>();

  /** @throws SseOptionsError where the name has other options elsewhere */
  open(name: string, options: HubOptions): Promise<Broadcaster> {
    let hub = this.hubs.get(name);
    if (hub === undefined) {
      hub = { options, broadcaster: started(options) };
      this.hubs.set(name, hub);
    } else if (!isDeepStrictEqual(hub.options, options)) {
      const expected = 'the same options in each forFeature() of this name';
      throw new SseOptionsError(`forFeature "${name}"`, expected, options);
    }
    return hub.broadcaster;
  }

  /** Ends all streams of all hubs; nothing can be published afterwards. */
  async close(): Promise<void> {
    for (const hub of this.hubs.values()) await (await hub.broadcaster).close();
  }
}

async function started(options: HubOptions): Promise<Broadcaster> {
  const broadcaster = new Broadcaster(new MemoryEventLog(), options);
  await broadcaster.start();
  return broadcaster;
}
