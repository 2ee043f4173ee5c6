/**
 * Describes streams in an OpenAPI document. Needs `@nestjs/swagger`.
 * @module nestjs-eventstream/swagger
 */

// above `@SseStream()`
export { ApiSseStream } from './api-sse-stream.js';
export type { ApiSseStreamOptions } from './api-sse-stream.js';
export type { SsePayload } from './frame-schema.js';
// around `SwaggerModule.createDocument()`
export { withSseStreams } from './document.js';
