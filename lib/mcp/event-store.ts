import type { EventStore } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { Deferred } from '../ground/deferred.js';
import type { Broadcaster } from '../hub/broadcaster.js';
import { hubOf } from '../hub/hub.js';
import * as rules from '../options/rules.js';
import { formatEventId } from './event-id.js';
import { notKept, SessionRooms } from './session-rooms.js';
import { checkPrefix, MCP_DEFAULTS } from './mcp.options.js';

/**
 * The options of `hubEventStore()`.
 * @publicApi
 */
export interface HubEventStoreOptions {
  /** The id of the session that the store is for. A store reads no other session's events. */
  session: string;
  /**
   * The beginning of the names of the rooms: at most 100 characters. All processes need the same.
   * @default 'mcp'
   */
  prefix?: string;
}

const checkOptions = rules.required(
  rules.object({ session: rules.required(rules.aText), prefix: checkPrefix }),
);

/**
 * Keeps the events of one MCP session in a hub, for `eventStore` of a transport of the SDK. So a
 * client can resume in any process that shares the hub's log, as long as `history` keeps the event
 * that its last event ID names.
 *
 * Make a store for each session. For an id of another session, a forged one, and one whose event is
 * no longer kept, `getStreamIdForEventId()` returns `undefined`, which the SDK answers with 400.
 * What is lost during a replay makes it reject, which the SDK answers with 500. Nothing is left
 * out in silence.
 *
 * The SDK answers a resume with 409 while it takes the old connection for alive. `McpSessions`
 * ends the old one instead.
 * @throws SseOptionsError for a wrong option, and for a broadcaster that is not of this library.
 * `storeEvent()` rejects as `Broadcaster.publish()`, and `replayEventsAfter()` with
 * SseInvalidFieldError
 * @example
 * ```ts
 * const session = randomUUID();
 * const transport = new StreamableHTTPServerTransport({
 *   sessionIdGenerator: () => session,
 *   eventStore: hubEventStore(broadcaster, { session }),
 * });
 * ```
 * @publicApi
 */
export function hubEventStore<Events extends object>(
  broadcaster: Broadcaster<Events>,
  options: HubEventStoreOptions,
): Required<EventStore> {
  checkOptions('', options);
  const { session, prefix = MCP_DEFAULTS.prefix } = options;
  return new HubEventStore(hubOf(broadcaster), prefix, session);
}

class HubEventStore implements Required<EventStore> {
  private readonly rooms: SessionRooms;
  /** Replays of this process that are not registered in their transport yet, by stream. */
  private readonly replays = new Map<string, Promise<void>>();

  constructor(
    private readonly broadcaster: Broadcaster,
    prefix: string,
    session: string,
  ) {
    this.rooms = new SessionRooms(broadcaster, prefix, session);
  }

  async storeEvent(stream: string, message: JSONRPCMessage): Promise<string> {
    const cursor = await this.broadcaster.publish(this.rooms.of(stream), { data: message });
    // The transport writes the event when this resolves: to the connection whose replay may have
    // missed it, and not to the one before it.
    await this.replays.get(stream);
    return formatEventId(stream, cursor);
  }

  async getStreamIdForEventId(id: string): Promise<string | undefined> {
    return (await this.rooms.find(id))?.stream;
  }

  async replayEventsAfter(
    id: string,
    { send }: { send: (id: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const place = await this.rooms.find(id);
    if (place === undefined) throw notKept(id);
    const { stream } = place;
    const registered = new Deferred<void>();
    this.replays.set(stream, registered.promise);
    try {
      for await (const events of this.rooms.after(place)) {
        for (const { id: cursor = '', data } of events) {
          // The SDK stores an empty object for the event with which a stream begins.
          if (isMessage(data)) await send(formatEventId(stream, cursor), data);
        }
      }
      return stream;
    } finally {
      // The transport registers the connection in the promise jobs that follow.
      setImmediate(() => {
        if (this.replays.get(stream) === registered.promise) this.replays.delete(stream);
        registered.resolve();
      });
    }
  }
}

function isMessage(data: unknown): data is JSONRPCMessage {
  return typeof data === 'object' && data !== null && 'jsonrpc' in data;
}
