import { applyDecorators } from '@nestjs/common';
import { HTTP_CODE_METADATA } from '@nestjs/common/constants.js';
import { ApiExtraModels, ApiHeader, ApiQuery, ApiResponse } from '@nestjs/swagger';
import { SseError, SseOptionsError } from '../ground/errors.js';
import { SSE_STREAM } from '../nest/stream-routes.js';
import type { SseStreamOptions } from '../connection/stream.options.js';
import { defined } from '../options/defined.js';
import { eventSchema, modelsOf, type SsePayload } from './frame-schema.js';

/**
 * What a document says of a stream.
 * @publicApi
 */
export interface ApiSseStreamOptions {
  /**
   * What the stream is about.
   * @default 'A stream of server-sent events.'
   */
  description?: string;
  /** The data of events without a type, which are `message` to an `EventSource`. */
  type?: SsePayload;
  /** The data of events by their type. */
  events?: Readonly<Record<string, SsePayload>>;
  /**
   * Whether the query parameter `lastEventId` is documented beside the header.
   * @default false
   */
  lastEventIdQuery?: boolean;
  /**
   * With `close` 204 is documented. Only where `SseModule` sets it.
   * @default that of `@SseStream()`, then 'end'
   */
  onComplete?: SseStreamOptions['onComplete'];
  /**
   * With `status` 429 and 503 are documented. Only where `SseModule` sets it.
   * @default that of `@SseStream()`, then 'retry'
   */
  rejectWith?: SseStreamOptions['rejectWith'];
}

const EXAMPLE = '1.Kx3vQ9aZ.hevbmk8e80';
const HEADER = {
  name: 'Last-Event-ID',
  required: false,
  description: 'Where the stream goes on: the id of the last event that the client got.',
  example: EXAMPLE,
};
const QUERY = {
  name: 'lastEventId',
  required: false,
  description: 'Instead of the header `Last-Event-ID`, for clients that cannot set it.',
  type: String,
  example: EXAMPLE,
};

const RETRY_AFTER = {
  'Retry-After': { description: 'Seconds.', schema: { type: 'integer', minimum: 0 } },
};

/**
 * Documents a stream for `@nestjs/swagger`: `text/event-stream` with a schema of its events,
 * `Last-Event-ID`, and what else may be answered. It reads the options of `@SseStream()`, and is
 * written above it. For OpenAPI 3.1 and 3.2 see `withSseStreams()`.
 * @throws SseError `SSE_OPTIONS` where it is not above `@SseStream()`; SseOptionsError for a
 * payload that is no class, and for two of events without a type
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
    decorators.push(ApiResponse({ status: 204, description: 'The stream is over: stay away.' }));
  }
  if (rejectWith === 'status') {
    decorators.push(
      ApiResponse({
        status: 429,
        description: 'Too many streams of this client.',
        headers: RETRY_AFTER,
      }),
      ApiResponse({ status: 503, description: 'No place at the moment.', headers: RETRY_AFTER }),
    );
  }
  return decorators;
}
