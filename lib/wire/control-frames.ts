import { commentLines, encodeFrame, frameOf, type SseMessage } from './frame.js';
import { KEEP_ALIVE_MS } from './protocol.js';

/** What a stream begins with. */
export function openingFrame(
  retryMs: number | undefined,
  keepAliveMs: number | undefined,
  cursor: string | undefined,
): string {
  const isDefault = keepAliveMs === KEEP_ALIVE_MS;
  const comment = isDefault ? 'connected' : `connected, keep-alive ${keepAliveMs ?? 'off'}`;
  const message: SseMessage = { comment };
  if (retryMs !== undefined) message.retry = retryMs;
  return encodeFrame(message) + (cursor === undefined ? '' : cursorFrame(cursor));
}

/** What an idle connection gets. */
export function keepAliveFrame(cursor: string | undefined): string {
  return frameOf(commentLines('keep-alive'), cursor);
}

/** Where the client stands, without an event. */
export function cursorFrame(cursor: string): string {
  return frameOf('', cursor);
}
