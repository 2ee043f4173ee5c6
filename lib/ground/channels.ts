import { channel } from 'node:diagnostics_channel';

/**
 * The names of this library's channels of `node:diagnostics_channel`, for metrics and tracing.
 * Subscribers are called synchronously, so they must be fast and must change nothing. If one
 * throws, Node raises an uncaught exception, which ends the process. A channel without subscribers
 * costs nothing.
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

/** A channel with typed messages. Check `hasSubscribers` before building a costly message. */
export interface Channel<Message> {
  readonly hasSubscribers: boolean;
  publish(message: Message): void;
}

/** The channel with this name. */
export function channelOf<Message>(name: keyof typeof SSE_CHANNELS): Channel<Message> {
  return channel(SSE_CHANNELS[name]);
}
