import { applyDecorators } from '@nestjs/common';
import { HTTP_CODE_METADATA } from '@nestjs/common/constants.js';
import { ApiExtraModels, ApiHeader, ApiQuery, ApiResponse } from '@nestjs/swagger';
import { describeContractsWith } from '../nest/contract-documents.js';
import { SseError, SseOptionsError } from '../ground/errors.js';
import { SSE_STREAM, type RouteOptions } from '../nest/stream-routes.js';
import type { SseStreamOptions } from '../connection/stream.options.js';
import { eventsOf, inputDecorators } from './contract-docs.js';
import { defined } from '../options/defined.js';
import type { AnyContract } from '../schema/contract-types.js';
import { eventSchema, eventsOfClasses, modelsOf, type SsePayload } from './frame-schema.js';

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
 * reads. For OpenAPI 3.1 and 3.2 use `withSseStreams()` too. A contract describes itself: with one,
 * this decorator is only for other options, and `events` or `type` replace its events.
 * @throws SseError `SSE_OPTIONS` if it is not above `@SseStream()`; SseOptionsError if a payload is
 * not a class, or if both `type` and `events.message` are set
 * @example `@ApiSseStream({ events: { price: PriceDto } }) @SseStream('prices') prices() { ... }`
 * @publicApi
 */
export function ApiSseStream(options: ApiSseStreamOptions = {}): MethodDecorator {
  return (target, key, descriptor) => {
    const handler = descriptor.value as object;
    const stream = Reflect.getMetadata(SSE_STREAM, handler) as RouteOptions | undefined;
    if (stream === undefined) {
      const remedy = `${String(key)}: write \`@ApiSseStream()\` above \`@SseStream()\`, whose options it reads`;
      throw new SseError('SSE_OPTIONS', remedy);
    }
    const status = Reflect.getMetadata(HTTP_CODE_METADATA, handler) as number;
    const { contract } = stream;
    const { onComplete, rejectWith } = { ...stream, ...defined(options) };
    const decorators = decoratorsFor({ ...options, onComplete, rejectWith }, status, contract);
    applyDecorators(...decorators)(target, key, descriptor);
    Reflect.defineMetadata(IS_DESCRIBED, true, handler);
  };
}

/** Marks a handler that the document describes already. */
const IS_DESCRIBED = 'nestjs-eventstream:described';

describeContractsWith(({ controller, handler, key }) => {
  if (Reflect.hasMetadata(IS_DESCRIBED, handler)) return;
  ApiSseStream()(controller.prototype as object, key, { value: handler });
});

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
  contract: AnyContract | undefined,
): MethodDecorator[] {
  if (type !== undefined && 'message' in events) {
    throw new SseOptionsError(
      'type',
      'undefined, because `events.message` is set and means the same',
      type,
    );
  }
  const payloads = type === undefined ? events : { message: type, ...events };
  const isOfContract = contract !== undefined && Object.keys(payloads).length === 0;
  const described = isOfContract ? eventsOf(contract) : eventsOfClasses(payloads);
  const content = { 'text/event-stream': { schema: eventSchema(described) } };
  const decorators = [
    ...(contract ? inputDecorators(contract) : []),
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
