import type { Authorize } from '../connection/authorization.js';
import type { SseConnection } from '../connection/sse-connection.js';
import type { EventType, SseEvent } from '../log/event.js';
import { checkHistory, type HistoryOptions } from '../log/history.options.js';
import type { EventLogFactory } from '../log/event-log.js';
import type { ConnectionsOptions } from '../connection/connections.options.js';
import type { StreamOptions } from '../connection/stream.options.js';
import type { Serialize, SseMessage } from '../wire/frame.js';
import * as rules from '../options/rules.js';

/**
 * What makes one hub differ from another.
 * @publicApi
 */
export interface HubOptions {
  /**
   * Text for the data of this hub's events, instead of JSON. Readers in the app still get what JSON
   * makes of the data. Without it: what the module says.
   */
  serialize?: Serialize;
  /**
   * What is kept for clients that return. `false`: nothing; events have no ids, and clients only
   * get what comes. Without it: what the module says.
   */
  history?: HistoryOptions | false;
  /**
   * Who may read which rooms, asked for each connection. Without it: whoever the handler opens a
   * stream for.
   */
  authorize?: Authorize;
}

/**
 * A further hub.
 * @publicApi
 */
export interface SseFeature extends HubOptions {
  /** What `@InjectBroadcaster(name)` asks for. */
  name: string;
}

/** What hubs take of the module's options. */
export interface HubsOptions
  extends Pick<StreamOptions, 'serialize'>, Pick<ConnectionsOptions, 'limits'> {
  /** What hubs keep for clients that return. `false`: nothing; a named hub may have its own. */
  history?: HistoryOptions | false;
  /** Who may read which rooms of the default hub; a named hub has its own. */
  authorize?: Authorize;
  /**
   * Makes the log of each hub.
   * @default a log in the memory of this process
   */
  log?: EventLogFactory;
}

/**
 * How one event is published.
 * @publicApi
 */
export interface EmitOptions {
  /**
   * Names this event: a second publish with the same key within 300 s sends nothing and resolves
   * with the cursor of the first. Makes it safe to try again. Any text that is not empty and has no
   * lone surrogate. The log in memory forgets the oldest keys where they fill half of
   * `history.maxBytes`.
   */
  key?: string;
  /** The reconnection time that clients take over with this event, in milliseconds. */
  retry?: number;
  /**
   * For those who are there now: no id, not kept, never missed. For typing indicators or mouse
   * positions.
   * @default false
   */
  ephemeral?: boolean;
}

/**
 * Which events of the rooms a stream has, and where it begins.
 * @publicApi
 */
export interface HubStreamOptions<Events extends object> {
  /** Only events for which it answers true. What it throws ends this stream only. */
  filter?: (event: SseEvent<Events>) => boolean;
  /** Only events of these types. */
  types?: readonly EventType<Events>[];
  /**
   * Events of these types are the last of their room, for a job that has an end. The stream
   * completes after one, be it live, replayed or a message of `snapshot`; a client that has read it
   * before is at the end at once, as long as it is the newest that is kept. Of several rooms, the
   * first that ends is the end of the stream. With `onComplete: 'close'` clients do not come back.
   * `types` need not name them; an event that `filter` leaves out ends nothing.
   * @default none: the stream goes on until somebody ends it
   */
  until?: readonly EventType<Events>[];
  /**
   * The cursor after which the stream goes on. `false`: the stream has ids of its own; it begins
   * with what is published from now on, and no cursor of the hub is written beside its events.
   * @default the last event ID of the connection that subscribes
   */
  lastEventId?: string | false;
  /**
   * For a client without a cursor: so many of the last events, or those of the last milliseconds.
   * Without it none.
   */
  rewind?: number | { ms: number };
  /**
   * The state that the events change: called for a client without a cursor (`fresh`) and for one
   * that has missed events of `rooms` which cannot be replayed (`gap`). Its messages go to the
   * client as they are, and everything that was published after it was called follows them. What it
   * throws ends the stream.
   */
  snapshot?: (reason: 'fresh' | 'gap', rooms: string[]) => Promise<readonly SseMessage[]>;
  /** Instead of the hub's own. */
  authorize?: Authorize;
  /**
   * For whom the stream is: who is asked about by `authorize`, whose last event ID counts, and with
   * whom it ends. To be given where a stream is opened outside the handler's call, such as in a
   * `switchMap` that another source sets off. `false`: for something else than a connection, such
   * as a WebSocket gateway; nobody is asked.
   * @default the connection whose handler runs, or whose stream is subscribed
   */
  connection?: SseConnection | false;
  /**
   * After a client was told of a gap: `tail` replays what it missed in the other rooms and goes
   * live, `rest` also replays what is still kept of the rooms with the gap, `skip` goes live, `end`
   * completes the stream.
   *
   * `rest` is for lists of what happened, such as a feed or a chat. It needs to know where the
   * client stood, so it replays nothing of a gap whose reason is `unknown`. It replays the newest
   * events that fit one resume, behind the messages of a `snapshot`.
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

/** The rules of what a module sets for its hubs. */
export const HUBS_RULES = {
  history: checkHistory,
  log: rules.aFunction,
  authorize: rules.aFunction,
};

const checkFeature = rules.required(
  rules.object({
    name: rules.required(rules.aText),
    serialize: rules.aFunction,
    history: checkHistory,
    authorize: rules.aFunction,
  }),
);

/** @throws SseOptionsError */
export function checkFeatures(features: readonly unknown[]): void {
  rules.required(rules.aList)('forFeature()', features);
  features.forEach((feature, index) => checkFeature(`forFeature[${index}]`, feature));
}
