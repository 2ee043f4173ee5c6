import type { Authorize } from '../connection/authorization.js';
import { checkAuthorize, type AuthorizeRooms } from '../connection/room-rules.js';
import type { SseConnection } from '../connection/sse-connection.js';
import type { EventType, SseEvent } from '../log/event.js';
import { checkHistory, type HistoryOptions } from '../log/history.options.js';
import { checkState, type StateOptions } from '../log/state.options.js';
import type { EventLogFactory } from '../log/event-log-factory.js';
import type { ConnectionsOptions } from '../connection/connections.options.js';
import type { StreamOptions } from '../connection/stream.options.js';
import type { Serialize, SseMessage } from '../wire/frame.js';
import { MAX_ID_PREFIX_LENGTH } from '../wire/last-event-id.js';
import type { AnyContract } from '../schema/contract-types.js';
import { contracts } from './hub-contract.js';
import { checkPresence, type PresenceOptions } from './presence.options.js';
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
   * Limits of the entries of state rooms.
   * @default the module's setting
   */
  state?: StateOptions;
  /**
   * Decides which connections may read which rooms: a function, or rules by patterns of rooms.
   * @default every connection for which a handler opens a stream
   */
  authorize?: Authorize | AuthorizeRooms;
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
  extends Pick<StreamOptions, 'serialize'>, Pick<ConnectionsOptions, 'limits' | 'identify'> {
  /** What hubs keep for returning clients. `false`: nothing. A named hub can set its own. */
  history?: HistoryOptions | false;
  /** Limits of the entries of state rooms. A named hub can set its own. */
  state?: StateOptions;
  /** Decides who may read which rooms of the default hub. A named hub sets its own. */
  authorize?: Authorize | AuthorizeRooms;
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
  /**
   * The client that does not get the event, in any process and also not when it returns: mostly the
   * one that has caused it. A connection, or `client` of its identity, which the module option
   * `identify` returns.
   * @default none: every reader gets it
   */
  except?: string | SseConnection;
}

/**
 * An event of a room, or a message of a `snapshot`, whose data is as the app returned it.
 * @publicApi
 */
export type LastEvent<Events extends object> =
  SseEvent<Events> extends infer Event
    ? Event extends object
      ? Omit<Event, 'rooms'>
      : never
    : never;

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
   * Event types that end a room, such as the last event of a job, or a function that returns true
   * for such an event, for protocols that have the end in the data. The stream completes after the
   * first such event: live, replayed, or in a `snapshot`. A client that has already received it
   * gets the end at once, as long as it is the newest kept event of the room. A stream of several
   * rooms ends with the first room that ends.
   *
   * Set `onComplete: 'close'` so that clients do not reconnect. You need not list these types in
   * `types`. A function is asked about the events that the stream has: those of `types` that
   * `filter` does not drop, and never changes of entries. If it throws, this stream fails.
   * @default none: the stream stays open
   * @example `until: ({ data }) => data === '[DONE]'`
   */
  until?: readonly EventType<Events>[] | ((event: LastEvent<Events>) => boolean);
  /**
   * The cursor after which the stream resumes. `false`: the stream begins with live events, which
   * have no ids, so that your handler can set its own.
   * @default the last event ID of the connection that subscribes
   */
  lastEventId?: string | false;
  /**
   * What the ids of events begin with on the wire, for protocols in which an id says of which
   * stream it is. It is taken off when the client returns. An id without it counts as one that is
   * not of this hub, and is told as a gap with the reason `unknown`. 1 to 64 printable ASCII
   * characters without spaces. All streams of a connection need the same, at most two of them may
   * be of different hubs, and their events are written for each client by itself. `@LastEventId()`
   * and a `lastEventId` that you pass have the prefix. Not with `changeable`.
   * @default none: ids are cursors
   * @example `stream(room, { idPrefix: `${streamId}/` })`
   */
  idPrefix?: string;
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
  authorize?: Authorize | AuthorizeRooms;
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
  /**
   * Whether the rooms can change while the stream is open, by `Broadcaster.changeRooms()` and by
   * `join()` and `leave()` of the connection and of the client. The stream then begins with
   * `event: sse-open` and `{"stream":"…","rooms":[…]}`, tells each change as `sse-rooms`, and a
   * client that returns, to any process, has the rooms that it had. One such stream per connection.
   * It needs history, and sets the last event ID itself.
   * @default false
   */
  changeable?: boolean;
  /**
   * Makes the client a member of the rooms, shows it who is there, or both. Not a security
   * boundary: `authorize` is.
   * @default none
   */
  presence?: PresenceOptions;
}

/** Safe in an id, and in a header: browsers trim spaces and encode what is not ASCII. */
const ID_PREFIX = new RegExp(`^[!-~]{1,${MAX_ID_PREFIX_LENGTH}}$`);

/** @throws SseOptionsError */
export const checkHubStreamOptions = rules.object({
  filter: rules.aFunction,
  types: rules.aList,
  until: rules.rule(
    'an array of types, or a function',
    (value) => Array.isArray(value) || typeof value === 'function',
  ),
  lastEventId: rules.orFalse(rules.anyText),
  idPrefix: rules.rule(
    `1 to ${MAX_ID_PREFIX_LENGTH} printable ASCII characters without spaces`,
    (value) => typeof value === 'string' && ID_PREFIX.test(value),
  ),
  rewind: rules.positiveIntegerOrMs,
  snapshot: rules.aFunction,
  authorize: checkAuthorize,
  connection: rules.anyValue,
  onGap: rules.oneOf('tail', 'rest', 'skip', 'end'),
  changeable: rules.trueOrFalse,
  presence: checkPresence,
});

/** The rules of the module options for hubs. */
export const HUBS_RULES = {
  history: checkHistory,
  state: checkState,
  log: rules.aFunction,
  authorize: checkAuthorize,
  contract: contracts,
};

const checkFeature = rules.required(
  rules.object({
    name: rules.required(rules.aText),
    serialize: rules.aFunction,
    history: checkHistory,
    state: checkState,
    authorize: checkAuthorize,
    contract: contracts,
  }),
);

/** @throws SseOptionsError */
export function checkFeatures(features: readonly unknown[]): void {
  rules.required(rules.aList)('forFeature()', features);
  features.forEach((feature, index) => checkFeature(`forFeature[${index}]`, feature));
}
