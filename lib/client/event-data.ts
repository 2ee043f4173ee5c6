import { messageOf, SseClientError } from './client-error.js';
import type { ConnectOptions } from './connect.options.js';
import { jsonOrText } from '../wire/json-or-text.js';

/**
 * Turns the text of an event into its `data`.
 * @throws SseClientError `SSE_DATA` if `parse` throws
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
