import { Logger } from '@nestjs/common';
import type { Subscription } from 'rxjs';
import { describe } from '../ground/errors.js';
import type { Broadcaster } from '../hub/broadcaster.js';
import { hubOf } from '../hub/hub.js';
import * as rules from '../options/rules.js';
import { checkPrefix, MCP_DEFAULTS } from './mcp.options.js';

/**
 * A change that a server tells its listeners, as `ServerEvent` of the SDK.
 * @publicApi
 */
export type HubServerEvent = (
  | { kind: 'tools_list_changed' }
  | { kind: 'prompts_list_changed' }
  | { kind: 'resources_list_changed' }
  | { kind: 'resource_updated'; uri: string }
) & {
  /** Sent along with the notification. */
  params?: { [key: string]: unknown } | undefined;
};

/**
 * The bus that `hubServerEventBus()` makes, as `ServerEventBus` of the SDK.
 * @publicApi
 */
export interface HubServerEventBus {
  /** Tells all processes. A failure is logged by the hub. */
  publish(event: HubServerEvent): void;
  /** Calls `listener` for each event of any process, until the returned function is called. */
  subscribe(listener: (event: HubServerEvent) => void): () => void;
}

/**
 * The options of `hubServerEventBus()`.
 * @publicApi
 */
export interface HubServerEventBusOptions {
  /**
   * The beginning of the name of the room: at most 100 characters. All processes need the same.
   * @default 'mcp'
   */
  prefix?: string;
}

const checkOptions = rules.object({ prefix: checkPrefix });
/** The library's own events, such as a state, come in the same stream. */
const CHANGE = 'change';
const logger = new Logger('Sse');

/**
 * Carries the change events of MCP servers between processes by a hub: for `bus` of
 * `createMcpHandler()` in `@modelcontextprotocol/server`. A client that listens in one process then
 * hears of changes that another process tells.
 *
 * Events are ephemeral, as the protocol has no resume for them: a client that is away misses them,
 * and lists again when it is back.
 * @throws SseOptionsError for a wrong option, and for a broadcaster that is not of this library
 * @example
 * ```ts
 * const handler = createMcpHandler(makeServer, { bus: hubServerEventBus(broadcaster) });
 * handler.notify.toolsChanged();
 * ```
 * @publicApi
 */
export function hubServerEventBus<Events extends object>(
  broadcaster: Broadcaster<Events>,
  options: HubServerEventBusOptions = {},
): HubServerEventBus {
  checkOptions('', options);
  const hub: Broadcaster = hubOf(broadcaster);
  const room = `${options.prefix ?? MCP_DEFAULTS.prefix}:changes`;
  const listeners = new Set<{ tell: (event: HubServerEvent) => void }>();
  let reading: Subscription | undefined;

  const sendAll = (event: HubServerEvent): void => {
    for (const { tell } of listeners) {
      try {
        tell(event);
      } catch (error) {
        logger.error(`A listener of hubServerEventBus() failed: ${describe(error)}`);
      }
    }
  };
  return {
    publish(event) {
      // A rejection is logged by the hub, and ends no process.
      void hub.publish(room, { type: CHANGE, data: event }, { ephemeral: true });
    },
    subscribe(tell) {
      const entry = { tell };
      listeners.add(entry);
      // One reader for all listeners of this process.
      reading ??= hub.stream(room, { connection: false }).subscribe({
        next: ({ type, data }) => {
          if (type === CHANGE) sendAll(data as HubServerEvent);
        },
        error: (error) => logger.error(`hubServerEventBus() has ended: ${describe(error)}`),
      });
      return () => {
        listeners.delete(entry);
        if (listeners.size > 0) return;
        reading?.unsubscribe();
        reading = undefined;
      };
    },
  };
}
