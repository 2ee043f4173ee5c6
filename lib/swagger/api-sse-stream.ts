import { applyDecorators } from '@nestjs/common';
import { HTTP_CODE_METADATA } from '@nestjs/common/constants.js';
import { ApiExtraModels, ApiHeader, ApiQuery, ApiResponse } from '@nestjs/swagger';
import { SseError, SseOptionsError } from '../ground/errors.js';
import { SSE_STREAM } from '../nest/stream-routes.js';
import type { SseStreamOptions } from '../connection/stream.options.js';
import { defined } from '../options/defined.js';
import { eventSchema, modelsOf, type SsePayload } from './frame-schema.js';

/**
 * The options of `@ApiSseStream()`.
 * @publicApi
 */
export interface ApiSseStreamOptions {
  /**
   * The description of the response.
   * @default 'A stream of server-sent events.'
   */
  description?: string;
  /** The data of events without a type, which an `EventSource` fires as `message`. */
  type?: SsePayload;
  /** The data of events, by event type. */
  events?: Readonly<Record<string, SsePayload>>;
  /**
   * Whether to document the query parameter `lastEventId` too.
   * @default false
   */
  lastEventIdQuery?: boolean;
  /**
   * Set it as in `SseModule.forRoot()`, which this decorator cannot read. With `close`, status 204
   * is documented.
   * @default the option of `@SseStream()`, else 'end'
   */
  onComplete?: SseStreamOptions['onComplete'];
  /**
   * Set it as in `SseModule.forRoot()`, which this decorator cannot read. With `status`, the
   * statuses 429 and 503 are documented.
   * @default the option of `@SseStream()`, else 'retry'
   */
  rejectWith?: SseStreamOptions['rejectWith'];
}

const EXAMPLE = '1.Kx3vQ9aZ.hevbmk8e80';
const HEADER = {
  name: 'Last-Event-ID',
  required: false,
  description: 'The id of the last event that the client received. The stream resumes after it.',
  example: EXAMPLE,
};
const QUERY = {
  name: 'lastEventId',
  required: false,
  description: 'The same as the header `Last-Event-ID`, for clients that cannot set headers.',
  type: String,
  example: EXAMPLE,
};

const RETRY_AFTER = {
  'Retry-After': {
    description: 'Seconds until the client may try again.',
    schema: { type: 'integer', minimum: 0 },
  },
};

/**
 * Documents a stream for `@nestjs/swagger`: `text/event-stream` with a schema of its events, the
 * header `Last-Event-ID`, and other statuses. Write it above `@SseStream()`, whose options it
 * reads. For OpenAPI 3.1 and 3.2 use `withSseStreams()` too.
 * @throws SseError `SSE_OPTIONS` if it is not above `@SseStream()`; SseOptionsError if a payload is
 * not a class, or if both `type` and `events.message` are set
 * @example `@ApiSseStream({ events: { price: PriceDto } }) @SseStream('prices') prices() { ... }`
 * @publicApi
 */
export function ApiSseStream(options: ApiSseStreamOptions = {}): MethodDecorator {
  return (target, key, descriptor) => {
    const handler = descriptor.value as object;
    const stream = Reflect.getMetadata(SSE_STREAM, handler) as SseStreamOptions | undefined;
    if (stream === undefined) {
      const remedy = `${String(key)}: write \`@ApiSseStream()\` above \`@SseStream()\`, whose options it reads`;
      throw new SseError('SSE_OPTIONS', remedy);
    }
    const status = Reflect.getMetadata(HTTP_CODE_METADATA, handler) as number;
    const { onComplete, rejectWith } = { ...stream, ...defined(options) };
    const decorators = decoratorsFor({ ...options, onComplete, rejectWith }, status);
    applyDecorators(...decorators)(target, key, descriptor);
  };
}

function decoratorsFor(
  {
    description = 'A stream of server-sent events.',
    type,
    events = {},
    lastEventIdQuery = false,
    onComplete,
    rejectWith,
  }: ApiSseStreamOptions,
  status: number,
): MethodDecorator[] {
  if (type !== undefined && 'message' in events) {
    throw new SseOptionsError(
      'type',
      'undefined, because `events.message` is set and means the same',
      type,
    );
  }
  const payloads = type === undefined ? events : { message: type, ...events };
  const content = { 'text/event-stream': { schema: eventSchema(payloads) } };
  const decorators = [
    ApiResponse({ status, description, content }),
    ApiExtraModels(...modelsOf(payloads)),
    ApiHeader(HEADER),
  ];
  if (lastEventIdQuery) decorators.push(ApiQuery(QUERY));
  if (onComplete === 'close') {
    decorators.push(
      ApiResponse({ status: 204, description: 'The stream has ended; do not reconnect.' }),
    );
  }
  if (rejectWith === 'status') {
    decorators.push(
      ApiResponse({
        status: 429,
        description: 'This client has too many open streams, or opens them too often.',
        headers: RETRY_AFTER,
      }),
      ApiResponse({
        status: 503,
        description: 'The stream is temporarily unavailable.',
        headers: RETRY_AFTER,
      }),
    );
  }
  return decorators;
}
