import { commentLines, encodeFrame, idField, type SseMessage } from './frame.js';
import { KEEP_ALIVE_MS } from './protocol.js';
import type { RetryRange } from './sse.options.js';
import type { StreamSettings } from './stream-settings.js';

/** What a stream begins with. */
export function openingFrame(
  { retry, keepAliveMs }: StreamSettings,
  cursor: string | undefined,
): string {
  const isDefault = keepAliveMs === KEEP_ALIVE_MS;
  const comment = isDefault ? 'connected' : `connected, keep-alive ${keepAliveMs ?? 'off'}`;
  const message: SseMessage = { comment };
  if (retry !== undefined) message.retry = drawRetry(retry);
  return encodeFrame(message) + (cursor === undefined ? '' : cursorFrame(cursor));
}

/** What an idle connection gets. */
export function keepAliveFrame(cursor: string | undefined): string {
  return `${commentLines('keep-alive')}${cursor === undefined ? '\n' : cursorFrame(cursor)}`;
}

/** Where the client stands, without an event. */
export function cursorFrame(cursor: string): string {
  return `${idField(cursor)}\n`;
}

/** Each connection draws its own, so that clients that were cut together do not return together. Milliseconds. */
export function drawRetry({ minMs, maxMs }: RetryRange): number {
  return minMs + Math.floor(Math.random() * (maxMs - minMs + 1));
}
