import 'reflect-metadata';
import {
  createParamDecorator,
  HttpCode,
  Inject,
  RequestMapping,
  RequestMethod,
  SetMetadata,
  UseFilters,
  UseInterceptors,
  type ExecutionContext,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { HTTP_CODE_METADATA } from '@nestjs/common/constants.js';
import { getBroadcasterToken } from '../hub/broadcaster.js';
import { SSE_MAP } from './message.js';
import type { SseMap } from '../connection/stream.options.js';
import { SseNotStreamableError } from '../ground/errors.js';
import { LateErrors } from '../output/late-answers.js';
import { isTakenOver, markConnectionParameter, wrapHandler } from './handler-takeover.js';
import { lastEventIdOf, type HttpRequest } from '../output/request.js';
import type { SseSource } from './handler-result.js';
import { SSE_STREAM } from './route-interceptors.js';
import { SseInterceptor } from './sse.interceptor.js';
import { checkStreamOptions, type SseStreamOptions } from '../connection/stream.options.js';

/** What a handler may return: with `negotiate` anything. */
type SseHandler<Negotiates extends boolean> = (
  ...args: never[]
) => Negotiates extends true ? unknown : SseSource | Promise<SseSource>;

/**
 * A route whose result is written as an event stream: an Observable or AsyncIterable of messages or
 * plain values, or a Promise of one. Before the first byte it is an ordinary Nest handler; the
 * stream begins when it has returned.
 * @throws SseOptionsError where it is applied, for a wrong option
 * @example `@SseStream('prices') prices() { return this.broadcaster.stream('prices'); }`
 * @publicApi
 */
export function SseStream<Negotiates extends boolean = false>(
  path: string | string[] = '/',
  options: SseStreamOptions & { negotiate?: Negotiates } = {},
) {
  checkStreamOptions('', options);
  return <Handler extends SseHandler<Negotiates>>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<Handler>,
  ): void => {
    wrapHandler(target, key, descriptor as unknown as TypedPropertyDescriptor<() => unknown>);
    const { value } = descriptor;
    RequestMapping({ path, method: options.method ?? RequestMethod.GET })(target, key, descriptor);
    SetMetadata(SSE_STREAM, options)(target, key, descriptor);
    UseInterceptors(SseInterceptor)(target, key, descriptor);
    UseFilters(LateErrors)(target, key, descriptor);
    // Nest answers a POST with 201 otherwise, which an EventSource refuses.
    if (!Reflect.hasMetadata(HTTP_CODE_METADATA, value as object))
      HttpCode(200)(target, key, descriptor);
  };
}

type ParameterPipe = Type<PipeTransform> | PipeTransform;

const LastEventIdParameter = createParamDecorator((_data: undefined, context: ExecutionContext) =>
  lastEventIdOf(context.switchToHttp().getRequest<HttpRequest>()),
);

/**
 * The last event ID that the client returned with: the header `Last-Event-ID`, then
 * `?lastEventId=`; else `undefined`.
 * @example `@SseStream() messages(@LastEventId() after?: string) { return this.messages.after(after); }`
 * @publicApi
 */
export function LastEventId(...pipes: ParameterPipe[]): ParameterDecorator {
  return LastEventIdParameter(undefined, ...pipes);
}

/** Only checks that there is a connection: the handler gets it past the pipes. */
const ConnectionParameter = createParamDecorator((_data: undefined, context: ExecutionContext) => {
  if (isTakenOver(context.switchToHttp().getResponse<object>())) return;
  throw new SseNotStreamableError(
    'there is no connection on this route; use @Connection() only in a handler of @SseStream()',
  );
});

/**
 * The `SseConnection` of a handler of `@SseStream()`.
 * @throws SseNotStreamableError on any other handler
 * @example `@SseStream() time(@Connection() connection: SseConnection) { ... }`
 * @publicApi
 */
export function Connection(): ParameterDecorator {
  return (target, key, index) => {
    ConnectionParameter()(target, key, index);
    if (key !== undefined) markConnectionParameter(target, key, index);
  };
}

/**
 * Injects the hub of this name; without one the default hub, for which the type `Broadcaster`
 * suffices.
 * @example `constructor(@InjectBroadcaster('orders') private readonly orders: Broadcaster<OrderEvents>) {}`
 * @publicApi
 */
export const InjectBroadcaster = (name?: string): ReturnType<typeof Inject> =>
  Inject(getBroadcasterToken(name));

/**
 * This property is the data of the event.
 * @publicApi
 */
export const SseData = (): PropertyDecorator => mapTo('data');
/**
 * This property is the type of the event.
 * @publicApi
 */
export const SseType = (): PropertyDecorator => mapTo('type');
/**
 * This property is the id of the event.
 * @publicApi
 */
export const SseId = (): PropertyDecorator => mapTo('id');
/**
 * This property is the reconnection time, in milliseconds.
 * @publicApi
 */
export const SseRetry = (): PropertyDecorator => mapTo('retry');

function mapTo(field: keyof SseMap): PropertyDecorator {
  return (prototype, property) => {
    const map = Reflect.getMetadata(SSE_MAP, prototype) as SseMap | undefined;
    Reflect.defineMetadata(SSE_MAP, { ...map, [field]: String(property) }, prototype);
  };
}
