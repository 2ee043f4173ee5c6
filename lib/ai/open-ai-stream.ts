import { foreignStream, type AiStreamDecorator, type AiStreamOptions } from './foreign-stream.js';
import { errorEvent } from './open-ai-events.js';

/**
 * Declares a route that sends events as OpenAI's Responses API does: `event:` with the type, and
 * `data:` with a `sequence_number`. The handler returns what `startOpenAiEvents()` or
 * `followOpenAiEvents()` gives. Errors and losses become events of the type `error`. If the stream
 * ends early, because the app shuts down, the connection breaks, and a client goes on with
 * `?starting_after=`.
 * https://platform.openai.com/docs/guides/background
 * @throws SseOptionsError for a wrong option, when the decorator is applied
 * @example `@OpenAiStream('responses/:id') retrieve(@Param('id') id: string) { return followOpenAiEvents(this.runs, id); }`
 * @publicApi
 */
export function OpenAiStream(
  path?: string | string[],
  options: AiStreamOptions = {},
): AiStreamDecorator {
  return foreignStream('@OpenAiStream()', path, options, errorEvent);
}
