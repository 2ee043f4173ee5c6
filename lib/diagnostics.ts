import { channel } from 'node:diagnostics_channel';
import type { Broadcaster } from './broadcaster.js';
import type { CloseReason, SseConnection } from './connection.js';
import type { SseConnections } from './connections.js';
import type { GapReason } from './event-log.js';
import type { HttpRequest } from './response.js';

/**
 * Why a connection was not opened: the limit that it met, `shutdown` while the app ends its streams, `log` while the log that its stream
 * needs is away.
 * @publicApi
 */
export type RefusalReason = 'process' | 'key' | 'rate' | 'room' | 'shutdown' | 'log';

/**
 * What is published on the diagnostics channel of each name; see `SSE_CHANNELS`.
 * @publicApi
 */
export interface SseDiagnostics {
  /** A stream has begun; `openingMs` after its request came to the handler, guards not included. */
  open: { readonly connection: SseConnection; readonly openingMs: number };
  /** A stream has ended, after so long. */
  close: {
    readonly connection: SseConnection;
    readonly reason: CloseReason;
    readonly durationMs: number;
  };
  /** A connection was not opened; `connections` are those that it would have joined. */
  refuse: {
    readonly reason: RefusalReason;
    readonly request: HttpRequest;
    readonly connections: SseConnections;
  };
  /** The log has accepted an event; `bytes` of wire text without its id. `hub` is `''` for the default hub. */
  publish: {
    readonly hub: string;
    readonly broadcaster: Broadcaster;
    readonly rooms: readonly string[];
    readonly type: string | undefined;
    readonly bytes: number;
  };
  /** Something was handed to the socket of one connection; keep-alives and the opening are bytes and no events. */
  deliver: { readonly connection: SseConnection; readonly events: number; readonly bytes: number };
  /** Missed events are handed to a client that has returned. They are counted by `deliver` too, when they are written. */
  replay: { readonly connection: SseConnection | undefined; readonly events: number };
  /** Events were left out for a client that takes too little. */
  drop: { readonly connection: SseConnection; readonly events: number };
  /** A client is told that events cannot be replayed. */
  gap: {
    readonly connection: SseConnection | undefined;
    readonly rooms: readonly string[];
    readonly reason: GapReason;
  };
  /** A client took nothing for too long: its socket is destroyed. */
  stall: { readonly connection: SseConnection; readonly bufferedBytes: number };
  /** Events of a hub do not reach this process, and why; `undefined`: they do again. */
  log: { readonly hub: string; readonly trouble: string | undefined };
  /** A stream has failed after its first byte (`connection`), or an event was not published (`broadcaster`). */
  error: {
    readonly error: unknown;
    readonly connection: SseConnection | undefined;
    readonly broadcaster: Broadcaster | undefined;
  };
}

/**
 * The names of the channels of `node:diagnostics_channel`, on which tools see what goes on. Subscribers are called at once,
 * must be quick and must change nothing. What a subscriber throws, Node turns into an uncaught exception, which ends the process.
 * A channel that nobody subscribes to costs nothing.
 * @example
 * ```ts
 * import { subscribe } from 'node:diagnostics_channel';
 * subscribe(SSE_CHANNELS.gap, (message) => {
 *   const { rooms, reason } = message as SseDiagnostics['gap'];
 *   console.warn(`Lost in ${rooms.join(', ')}: ${reason}`);
 * });
 * ```
 * @publicApi
 */
export const SSE_CHANNELS = {
  open: 'nestjs-eventstream:open',
  close: 'nestjs-eventstream:close',
  refuse: 'nestjs-eventstream:refuse',
  publish: 'nestjs-eventstream:publish',
  deliver: 'nestjs-eventstream:deliver',
  replay: 'nestjs-eventstream:replay',
  drop: 'nestjs-eventstream:drop',
  gap: 'nestjs-eventstream:gap',
  stall: 'nestjs-eventstream:stall',
  log: 'nestjs-eventstream:log',
  error: 'nestjs-eventstream:error',
} as const satisfies Record<keyof SseDiagnostics, string>;

/** A channel of which the compiler knows the messages. */
interface TypedChannel<Message> {
  readonly hasSubscribers: boolean;
  publish(message: Message): void;
}

/** Each channel. Where a message costs something to make, ask `hasSubscribers` first. */
export const diagnostics = {
  open: typed('open'),
  close: typed('close'),
  refuse: typed('refuse'),
  publish: typed('publish'),
  deliver: typed('deliver'),
  replay: typed('replay'),
  drop: typed('drop'),
  gap: typed('gap'),
  stall: typed('stall'),
  log: typed('log'),
  error: typed('error'),
};

function typed<Name extends keyof SseDiagnostics>(name: Name) {
  return channel(SSE_CHANNELS[name]) as TypedChannel<SseDiagnostics[Name]>;
}
