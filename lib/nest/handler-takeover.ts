import 'reflect-metadata';
import { Res } from '@nestjs/common';
import { RESPONSE_PASSTHROUGH_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { wrapping, type Method } from './method-wrapper.js';
import { applyInput, inputParameters, type ContractInput } from './contract-route.js';

/**
 * Calls the handler's method with its connection, and with what the contract made of the request.
 */
type HandlerCall = (connection?: unknown, input?: ContractInput) => unknown;

/** Runs a handler's method. Resolves when its stream has begun. */
export type HandlerRunner = (call: HandlerCall) => Promise<void>;

const runners = new WeakMap<object, HandlerRunner>();

/** Lets `runner` run the next handler that is called with `response`. */
export function runHandlerWith(response: object, runner: HandlerRunner): void {
  runners.set(response, runner);
}

/** Whether the next handler that is called with `response` is run for a stream. */
export function isTakenOver(response: object): boolean {
  return runners.has(response);
}

/** The metadata key for the indexes of `@Connection()` parameters. */
const CONNECTION_PARAMETERS = 'nestjs-eventstream:connection-parameters';

/**
 * Marks a parameter that gets the connection without passing Nest's pipes. A global pipe could make
 * a new instance of its class, as `ValidationPipe` does with `validateCustomDecorators`, or walk
 * through the connection to its socket.
 */
export function markConnectionParameter(target: object, key: string | symbol, index: number): void {
  const known = connectionParameters(target, key);
  const types = Reflect.getMetadata('design:paramtypes', target, key) as unknown[] | undefined;
  const withoutClass = types?.map((type, at) => (at === index ? Object : type));
  if (withoutClass) Reflect.defineMetadata('design:paramtypes', withoutClass, target, key);
  Reflect.defineMetadata(CONNECTION_PARAMETERS, [...known, index], target.constructor, key);
}

function connectionParameters(target: object, key: string | symbol): number[] {
  const known: unknown = Reflect.getMetadata(CONNECTION_PARAMETERS, target.constructor, key);
  return (known as number[] | undefined) ?? [];
}

/**
 * Wraps a method so that the interceptor can take over its call. `Res()` is applied to an extra
 * parameter: it makes Nest leave the response alone, and the response leads to the runner of the
 * interceptor. Any other call, for example in a unit test, gets what the method returns.
 */
export function wrapHandler(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
): void {
  const method = descriptor.value;
  if (method === undefined) return;
  const types: unknown = Reflect.getMetadata('design:paramtypes', target, key);
  const given = Reflect.getMetadata(ROUTE_ARGS_METADATA, target.constructor, key) as
    object | undefined;
  const indexes = Object.keys(given ?? {}).map(
    (argument) => Number(argument.split(':').at(-1)) + 1,
  );
  const index = Math.max(method.length, Array.isArray(types) ? types.length : 0, ...indexes);
  Res()(target, key, index);
  // `Res({ passthrough: true })` on the method would make Nest send what the handler returns.
  Reflect.defineMetadata(RESPONSE_PASSTHROUGH_METADATA, false, target.constructor, key);
  const parameters = connectionParameters(target, key);
  const inputs = inputParameters(target, key);
  const wrapper: Method = function (...args) {
    const response = args[index];
    const runner =
      typeof response === 'object' && response !== null ? runners.get(response) : undefined;
    if (runner === undefined) return method.apply(this, args);
    runners.delete(response as object);
    const own = args.slice(0, index);
    return runner((connection, input) => {
      for (const parameter of parameters) own[parameter] = connection;
      if (input !== undefined) applyInput(own, input, inputs);
      return method.apply(this, own);
    });
  };
  descriptor.value = wrapping(method, wrapper);
}
