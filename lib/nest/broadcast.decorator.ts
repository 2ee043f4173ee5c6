import { types } from 'node:util';
import { Inject, Logger } from '@nestjs/common';
import { describe, SseError, SseOptionsError } from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';
import { Broadcaster, getBroadcasterToken } from '../hub/broadcaster.js';
import { roomList } from '../hub/rooms.js';
import * as rules from '../options/rules.js';
import { wrapping, type Method } from './method-wrapper.js';

/**
 * The options of `@Broadcast()`.
 * @publicApi
 */
export interface BroadcastOptions<Data = unknown> {
  /**
   * The room to publish to, or several; or a function that returns them. It gets what the method
   * has returned, and then the arguments of the method. If it returns `undefined`, nothing is
   * published.
   */
  room:
    | string
    | readonly string[]
    | ((data: Data, ...args: never[]) => string | readonly string[] | undefined);
  /**
   * The type of the event.
   * @default the name of the method
   */
  type?: string;
  /**
   * The name of the hub, as in `@InjectBroadcaster()`.
   * @default the default hub
   */
  hub?: string;
}

/** What a method may return whose events have this data. */
type Returned<Data> = Data | undefined | Promise<Data | undefined>;

/**
 * What `Broadcast()` returns: decorates a method whose result is the data.
 * @publicApi
 */
export interface BroadcastDecorator<Data> {
  /**
   * Decorates the method.
   * @typeParam Handler the type of the method
   */
  <Handler extends (...args: never[]) => Returned<Data>>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<Handler>,
  ): void;
}

/**
 * Publishes what a method of a provider or a controller returns, or what its promise resolves with.
 * `undefined` is not published. The caller gets the result as without the decorator, and does not
 * wait for the event. If publishing fails, that is logged at most once per 10 s.
 *
 * With `@OnEvent()` of `@nestjs/event-emitter` on the same method, it carries events of the app to
 * clients. Nest has to create the class: the decorator lets it inject the hub.
 * @throws SseOptionsError for a wrong option, SseInvalidFieldError for a wrong room, when the
 * decorator is applied
 * @example
 * ```ts
 * @OnEvent('order.created')
 * @Broadcast({ room: (order: Order) => `orders.${order.customer}`, type: 'created' })
 * created({ order }: OrderCreated) { return order; }
 * ```
 * @publicApi
 */
export function Broadcast<Data = unknown>(
  options: string | readonly string[] | BroadcastOptions<Data>,
): BroadcastDecorator<Data>;
export function Broadcast(
  options: string | readonly string[] | BroadcastOptions,
): (target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<Method>) => void {
  const given = typeof options === 'string' || Array.isArray(options) ? { room: options } : options;
  const { room, type, hub } = checked(given as BroadcastOptions);
  return (target, key, descriptor) => {
    const method = descriptor.value;
    const what = `${target.constructor.name}.${String(key)}()`;
    if (method === undefined) {
      throw new SseOptionsError(`@Broadcast() of ${what}`, 'a method', descriptor);
    }
    const property = Symbol(`broadcaster for @Broadcast() of ${what}`);
    Inject(getBroadcasterToken(hub))(target, property);
    const failures = new RareLine();

    const publish = (instance: unknown, data: unknown, args: readonly unknown[]): void => {
      if (data === undefined) return;
      try {
        const broadcaster: unknown = Reflect.get(Object(instance), property);
        if (!(broadcaster instanceof Broadcaster)) throw withoutHub();
        const rooms = typeof room === 'function' ? call(room, [data, ...args]) : room;
        // A failure of this is logged by the hub.
        if (rooms !== undefined)
          void broadcaster.publish(rooms, { type: type ?? String(key), data });
      } catch (error) {
        if (failures.again() === 0) return;
        logger.warn(`@Broadcast() of ${what} published nothing: ${describe(error)}`);
      }
    };
    descriptor.value = wrapping(method, function (...args) {
      const result = method.apply(this, args);
      if (!types.isPromise(result)) {
        publish(this, result, args);
        return result;
      }
      return result.then((data) => {
        publish(this, data, args);
        return data;
      });
    });
  };
}

const logger = new Logger('Sse');

const aRoom = rules.rule(
  'a room, an array of rooms, or a function that returns them',
  (value) => typeof value === 'string' || typeof value === 'function' || Array.isArray(value),
);

const checkOptions = rules.required(
  rules.object({ room: rules.required(aRoom), type: rules.aText, hub: rules.aText }),
);

function checked(options: BroadcastOptions): BroadcastOptions {
  checkOptions('@Broadcast()', options);
  if (typeof options.room !== 'function') roomList(options.room);
  return options;
}

type RoomFunction = Extract<BroadcastOptions['room'], (...args: never[]) => unknown>;

function call(room: RoomFunction, args: readonly unknown[]): ReturnType<RoomFunction> {
  return Reflect.apply(room, undefined, args);
}

function withoutHub(): SseError {
  const remedy = 'let Nest create the class as a provider or a controller';
  return new SseError('SSE_OPTIONS', `the instance has no hub; ${remedy}`);
}
