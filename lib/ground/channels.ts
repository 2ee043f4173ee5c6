import { channel } from 'node:diagnostics_channel';

/**
 * The names of the channels of `node:diagnostics_channel`, on which tools see what goes on.
 * Subscribers are called at once, must be quick and must change nothing. What a subscriber throws,
 * Node turns into an uncaught exception, which ends the process. A channel that nobody subscribes
 * to costs nothing.
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
} as const;

/**
 * A channel of which the compiler knows the messages. Where a message costs something to make, ask
 * `hasSubscribers` first.
 */
export interface Channel<Message> {
  readonly hasSubscribers: boolean;
  publish(message: Message): void;
}

/** The channel of a name. */
export function channelOf<Message>(name: keyof typeof SSE_CHANNELS): Channel<Message> {
  return channel(SSE_CHANNELS[name]);
}
