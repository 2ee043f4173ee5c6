import { messageOf, SseClientError } from './client-error.js';
import type { ConnectOptions } from './connect.options.js';
import { jsonOrText } from '../wire/json-or-text.js';

/**
 * The text of an event as `data`.
 * @throws SseClientError `SSE_DATA` for what `parse` throws
 */
export function dataOf(
  text: string,
  type: string,
  { parse = jsonOrText }: ConnectOptions,
): unknown {
  try {
    return parse(text, type);
  } catch (cause) {
    const message = `parse() failed for an event "${type}": ${messageOf(cause)}`;
    throw new SseClientError('SSE_DATA', message, { isFinal: true, cause });
  }
}
