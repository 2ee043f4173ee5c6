import { foreignStream, type AiStreamDecorator, type AiStreamOptions } from './foreign-stream.js';
import { errorChunk } from './ui-messages.js';

/**
 * Declares a route that sends a UI message stream of the AI SDK, for `useChat` and
 * `DefaultChatTransport`. The handler returns what `startUiMessages()`, `followUiMessages()` or
 * `uiMessages()` gives.
 *
 * Each event is one chunk, `data: {…}`, without a type or an id, and the last one is `[DONE]`.
 * Errors and losses become chunks of the type `error`. If the stream ends early, because the app
 * shuts down, the connection breaks, since the SDK would take its end for that of the answer.
 * https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol
 * @throws SseOptionsError for a wrong option, when the decorator is applied
 * @example `@UiMessageStream(':id/stream') resume(@Param('id') id: string) { return followUiMessages(this.runs, id); }`
 * @publicApi
 */
export function UiMessageStream(
  path?: string | string[],
  options: AiStreamOptions = {},
): AiStreamDecorator {
  const headers = { 'x-vercel-ai-ui-message-stream': 'v1', ...options.headers };
  return foreignStream('@UiMessageStream()', path, { ...options, headers }, errorChunk);
}
