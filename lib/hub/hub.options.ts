import type { Authorize } from '../connection/authorization.js';
import type { SseConnection } from '../connection/sse-connection.js';
import type { EventType, SseEvent } from '../log/event.js';
import { checkHistory, type HistoryOptions } from '../log/history.options.js';
import type { EventLogFactory } from '../log/event-log.js';
import type { ConnectionsOptions } from '../connection/connections.options.js';
import type { StreamOptions } from '../connection/stream.options.js';
import type { Serialize, SseMessage } from '../wire/frame.js';
import type { AnyContract } from '../schema/contract-types.js';
import { contracts } from './hub-contract.js';
import * as rules from '../options/rules.js';

/**
 * The options that each hub can set for itself.
 * @publicApi
 */
export interface HubOptions {
  /**
   * Turns the data of this hub's events into text, instead of JSON. Code in the app that reads the
   * hub still gets the data as JSON makes it.
   * @default the module's setting
   */
  serialize?: Serialize;
  /**
   * What the hub keeps for returning clients. `false` keeps nothing: events have no ids, and
   * clients get live events only.
   * @default the module's setting
   */
  history?: HistoryOptions | false;
  /**
   * Decides which connections may read which rooms.
   * @default every connection for which a handler opens a stream
   */
  authorize?: Authorize;
  /**
   * The contract of the hub's events, or several: `emit()` and `publish()` send what its schemas
   * return, and reject with `SSE_INVALID_EVENT` for any other event.
   * @default none: events are not checked
   */
  contract?: AnyContract | readonly AnyContract[];
}

/**
 * A further hub, for `SseModule.forFeature()`.
 * @publicApi
 */
export interface SseFeature extends HubOptions {
  /** The name to pass to `@InjectBroadcaster(name)`. */
  name: string;
}

/** The module options for hubs. */
export interface HubsOptions
  extends Pick<StreamOptions, 'serialize'>, Pick<ConnectionsOptions, 'limits'> {
  /** What hubs keep for returning clients. `false`: nothing. A named hub can set its own. */
  history?: HistoryOptions | false;
  /** Decides who may read which rooms of the default hub. A named hub sets its own. */
  authorize?: Authorize;
  /** The contracts of the default hub. A named hub sets its own. */
  contract?: AnyContract | readonly AnyContract[];
  /**
   * Creates the log of each hub, for example `redisEventLog({ url })` for several processes.
   * @default a log in the memory of this process
   */
  log?: EventLogFactory;
}

/**
 * Options for publishing one event.
 * @publicApi
 */
export interface EmitOptions {
  /**
   * The idempotency key, which makes it safe to publish again after an error. A second publish with
   * the same key within 300 s sends nothing and resolves with the cursor of the first. Any
   * non-empty string without lone surrogates. The log in memory forgets the oldest keys early if
   * keys fill half of `history.maxBytes`.
   * @default none: every publish is a new event
   */
  key?: string;
  /** The reconnection time that clients use from this event on, in milliseconds. */
  retry?: number;
  /**
   * Sends the event to open streams only. It has no id, is not kept, and is never replayed or
   * reported as a gap. For typing indicators or mouse positions.
   * @default false
   */
  ephemeral?: boolean;
}

/**
 * Options of one `Broadcaster.stream()`: which events it has, and where it begins.
 * @publicApi
 */
export interface HubStreamOptions<Events extends object> {
  /**
   * Keeps only events for which it returns true. If it throws, this stream ends.
   * @default all events
   */
  filter?: (event: SseEvent<Events>) => boolean;
  /**
   * Keeps only events of these types.
   * @default all types
   */
  types?: readonly EventType<Events>[];
  /**
   * Event types that end a room, such as the last event of a job. The stream completes after the
   * first such event: live, replayed, or in a `snapshot`. A client that has already received it
   * gets the end at once, as long as it is the newest kept event of the room. A stream of several
   * rooms ends with the first room that ends.
   *
   * Set `onComplete: 'close'` so that clients do not reconnect. You need not list these types in
   * `types`. An event that `filter` drops does not end the stream.
   * @default none: the stream stays open
   */
  until?: readonly EventType<Events>[];
  /**
   * The cursor after which the stream resumes. `false`: the stream begins with live events, which
   * have no ids, so that your handler can set its own.
   * @default the last event ID of the connection that subscribes
   */
  lastEventId?: string | false;
  /**
   * Sends a client without a cursor the newest kept events: this many, or those of the last `ms`
   * milliseconds.
   * @default none
   */
  rewind?: number | { ms: number };
  /**
   * Loads the state that the events change. Called for a client without a cursor (`fresh`), and for
   * one whose missed events in `rooms` cannot be replayed (`gap`). The client gets these messages
   * as they are, and then every event that was published after the call. If it throws, the stream
   * fails.
   * @default none: such a client begins with live events
   */
  snapshot?: (reason: 'fresh' | 'gap', rooms: string[]) => Promise<readonly SseMessage[]>;
  /**
   * Decides who may read the rooms of this stream.
   * @default the hub's `authorize`
   */
  authorize?: Authorize;
  /**
   * The connection that the stream belongs to: it is passed to `authorize`, its last event ID
   * counts, and the stream ends with it. Set it if you open a stream outside the handler's call,
   * for example in a `switchMap` that another source triggers. `false`: the stream belongs to no
   * connection, for example in a WebSocket gateway, and `authorize` is not called.
   * @default the connection whose handler runs, or whose stream is subscribed
   */
  connection?: SseConnection | false;
  /**
   * What happens after a client got an `sse-gap`.
   * - `tail`: missed events of the other rooms are replayed, then live events follow.
   * - `rest`: as `tail`, and events that are still kept in the rooms with the gap are replayed too.
   * - `skip`: live events follow at once.
   * - `end`: the stream completes.
   *
   * `rest` is for feeds and chats. It replays the newest events that fit one resume, after the
   * messages of a `snapshot`. For a gap with the reason `unknown` it replays nothing, because the
   * client's position is not known.
   * @default 'tail'
   */
  onGap?: 'tail' | 'rest' | 'skip' | 'end';
}

/** @throws SseOptionsError */
export const checkHubStreamOptions = rules.object({
  filter: rules.aFunction,
  types: rules.aList,
  until: rules.aList,
  lastEventId: rules.orFalse(rules.anyText),
  rewind: rules.positiveIntegerOrMs,
  snapshot: rules.aFunction,
  authorize: rules.aFunction,
  connection: rules.anyValue,
  onGap: rules.oneOf('tail', 'rest', 'skip', 'end'),
});

/** The rules of the module options for hubs. */
export const HUBS_RULES = {
  history: checkHistory,
  log: rules.aFunction,
  authorize: rules.aFunction,
  contract: contracts,
};

const checkFeature = rules.required(
  rules.object({
    name: rules.required(rules.aText),
    serialize: rules.aFunction,
    history: checkHistory,
    authorize: rules.aFunction,
    contract: contracts,
  }),
);

/** @throws SseOptionsError */
export function checkFeatures(features: readonly unknown[]): void {
  rules.required(rules.aList)('forFeature()', features);
  features.forEach((feature, index) => checkFeature(`forFeature[${index}]`, feature));
}
