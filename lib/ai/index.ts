/**
 * Runs for the clients of AI libraries: `useChat` of the AI SDK, and OpenAI's `starting_after`.
 * @module nestjs-eventstream/ai
 */

// UI message streams of the AI SDK
export { UiMessageStream } from './ui-message-stream.js';
export { followUiMessages, startUiMessages, uiMessages } from './ui-messages.js';
export type { UiMessageChunk, UiMessageProducer, UiMessageSource } from './ui-messages.js';
// events of OpenAI's Responses API
export { OpenAiStream } from './open-ai-stream.js';
export { followOpenAiEvents, startOpenAiEvents } from './open-ai-events.js';
export type {
  FollowOpenAiOptions,
  OpenAiEvent,
  OpenAiProducer,
  OpenAiSource,
} from './open-ai-events.js';
export type { AiStreamDecorator, AiStreamOptions } from './foreign-stream.js';
