import { commentLines, encodeFrame, frameOf, type SseMessage } from './frame.js';
import { KEEP_ALIVE_MS } from './protocol.js';

/** The start of a stream: `retry`, a comment that announces the keep-alive, and the cursor. */
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

/** A comment or an event, so that an idle connection stays open, and the cursor. */
export function keepAliveFrame(cursor: string | undefined, event?: string): string {
  if (event === undefined) return frameOf(commentLines('keep-alive'), cursor);
  // In a block of its own: who handles events by their ids must not take it for one of the hub.
  return cursor === undefined ? event : event + cursorFrame(cursor);
}

/** Moves the client's last event ID without firing an event. */
export function cursorFrame(cursor: string): string {
  return frameOf('', cursor);
}
