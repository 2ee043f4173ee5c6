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
import { SseNotStreamableError, SseOptionsError } from '../ground/errors.js';
import { LateErrors } from '../output/late-answers.js';
import { isTakenOver, markConnectionParameter, wrapHandler } from './handler-takeover.js';
import { lastEventIdOf, type HttpRequest } from '../output/request.js';
import type { SseSource } from './handler-result.js';
import { SSE_STREAM, type RouteOptions } from './stream-routes.js';
import { isContract } from '../schema/contract.js';
import type { AnyContract } from '../schema/contract-types.js';
import type { WrongEvents } from './contract-handler.js';
import { SseInterceptor } from './sse.interceptor.js';
import { checkStreamOptions, type SseStreamOptions } from '../connection/stream.options.js';

/** A handler. With `negotiate` it may return anything. */
type SseHandler<Negotiates extends boolean> = (
  ...args: never[]
) => Negotiates extends true ? unknown : SseSource | Promise<SseSource>;

/**
 * Declares a route that sends an event stream. The handler returns an Observable or AsyncIterable
 * of messages or plain values, or a Promise of one. Guards, pipes and exception filters work as on
 * any route; the stream begins after the handler has returned.
 * @throws SseOptionsError for a wrong option, when the decorator is applied
 * @example `@SseStream('prices') prices() { return this.broadcaster.stream('prices'); }`
 * @publicApi
 */
export function SseStream<Negotiates extends boolean = false>(
  path?: string | string[],
  options?: SseStreamOptions & { negotiate?: Negotiates },
): <Handler extends SseHandler<Negotiates>>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<Handler>,
) => void;
/**
 * Declares the route of a contract from `nestjs-eventstream/contract`. Its path is the route, after
 * the path of the controller. The query and the path parameters are checked before the handler is
 * called, and a wrong one is answered with 400. An event that is not in the contract ends the
 * stream with `SSE_INVALID_EVENT`. A hub whose events the handler sends as they are must have the
 * contract too.
 * @throws SseOptionsError for a wrong option, when the decorator is applied
 * @example `@SseStream(orders) stream(@Param('customer') customer: string) { return this.hub.stream(customer); }`
 */
export function SseStream<Contract extends AnyContract, Negotiates extends boolean = false>(
  contract: Contract,
  options?: Omit<SseStreamOptions, 'map'> & { negotiate?: Negotiates },
): <Handler extends (...args: never[]) => unknown>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<Handler> &
    (Negotiates extends true ? unknown : WrongEvents<ReturnType<Handler>, Contract>),
) => void;
export function SseStream(
  route: string | string[] | AnyContract = '/',
  options: SseStreamOptions = {},
): MethodDecorator {
  checkStreamOptions('', options);
  const contract = contractIn(route, options);
  const path = contract?.path ?? (route as string | string[]);
  return (target, key, descriptor) => {
    requireNoContract(descriptor.value, String(key));
    wrapHandler(target, key, descriptor as unknown as TypedPropertyDescriptor<() => unknown>);
    const { value } = descriptor;
    RequestMapping({ path, method: options.method ?? RequestMethod.GET })(target, key, descriptor);
    SetMetadata(SSE_STREAM, { ...options, contract })(target, key, descriptor);
    UseInterceptors(SseInterceptor)(target, key, descriptor);
    UseFilters(LateErrors)(target, key, descriptor);
    // By default Nest answers a POST with 201, which an EventSource refuses.
    if (!Reflect.hasMetadata(HTTP_CODE_METADATA, value as object))
      HttpCode(200)(target, key, descriptor);
  };
}

function contractIn(
  route: string | string[] | AnyContract,
  { map }: SseStreamOptions,
): AnyContract | undefined {
  if (typeof route === 'string' || Array.isArray(route)) return undefined;
  if (!isContract(route)) {
    throw new SseOptionsError('@SseStream()', 'a path, or a contract of sseContract()', route);
  }
  if (map === undefined) return route;
  const problem = 'a contract says what events look like; emit them as { type, data } instead';
  throw new SseOptionsError('map', 'undefined with a contract', map, problem);
}

/** Two contracts on one method would share one handler. */
function requireNoContract(handler: unknown, name: string): void {
  const known = Reflect.getMetadata(SSE_STREAM, handler as object) as RouteOptions | undefined;
  if (known?.contract === undefined) return;
  const problem = `${name}() has the contract "${known.contract.path}" already; write a method for each contract`;
  throw new SseOptionsError('@SseStream()', 'one contract for a method', handler, problem);
}

type ParameterPipe = Type<PipeTransform> | PipeTransform;

const LastEventIdParameter = createParamDecorator((_data: undefined, context: ExecutionContext) =>
  lastEventIdOf(context.switchToHttp().getRequest<HttpRequest>()),
);

/**
 * Injects the last event ID of a returning client: the header `Last-Event-ID`, else the query
 * parameter `lastEventId`, else `undefined`.
 * @example `@SseStream() messages(@LastEventId() after?: string) { return this.messages.after(after); }`
 * @publicApi
 */
export function LastEventId(...pipes: ParameterPipe[]): ParameterDecorator {
  return LastEventIdParameter(undefined, ...pipes);
}

/** Only checks that there is a connection. The handler gets it without passing pipes. */
const ConnectionParameter = createParamDecorator((_data: undefined, context: ExecutionContext) => {
  if (isTakenOver(context.switchToHttp().getResponse<object>())) return;
  throw new SseNotStreamableError(
    'there is no connection on this route; use @Connection() only in a handler of @SseStream()',
  );
});

/**
 * Injects the `SseConnection` into a handler of `@SseStream()`.
 * @throws SseNotStreamableError in any other handler
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
 * Injects the hub of this name. Without a name it injects the default hub, which the parameter type
 * `Broadcaster` alone does too.
 * @example `constructor(@InjectBroadcaster('orders') private readonly orders: Broadcaster<OrderEvents>) {}`
 * @publicApi
 */
export const InjectBroadcaster = (name?: string): ReturnType<typeof Inject> =>
  Inject(getBroadcasterToken(name));

/**
 * Marks the property that becomes the data of the event. Without it the whole object is the data.
 * @example `class Price { @SseId() no: number; @SseData() value: number; }`
 * @publicApi
 */
export const SseData = (): PropertyDecorator => mapTo('data');
/**
 * Marks the property that becomes the type of the event.
 * @publicApi
 */
export const SseType = (): PropertyDecorator => mapTo('type');
/**
 * Marks the property that becomes the id of the event.
 * @publicApi
 */
export const SseId = (): PropertyDecorator => mapTo('id');
/**
 * Marks the property that becomes the client's reconnection time, in milliseconds.
 * @publicApi
 */
export const SseRetry = (): PropertyDecorator => mapTo('retry');

function mapTo(field: keyof SseMap): PropertyDecorator {
  return (prototype, property) => {
    const map = Reflect.getMetadata(SSE_MAP, prototype) as SseMap | undefined;
    Reflect.defineMetadata(SSE_MAP, { ...map, [field]: String(property) }, prototype);
  };
}
