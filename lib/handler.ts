import 'reflect-metadata';
import { Res } from '@nestjs/common';
import { RESPONSE_PASSTHROUGH_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';

/** Runs a handler's method for a connection, and resolves when its stream has begun. */
export type HandlerRunner = (call: () => unknown) => Promise<void>;

const runners = new WeakMap<object, HandlerRunner>();

/** The handler that is called next with `response` is run by `runner`. */
export function runHandlerWith(response: object, runner: HandlerRunner): void {
  runners.set(response, runner);
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Lets the interceptor take over a method. The public `Res()` decorator on a parameter that the method does not have
 * makes Nest leave the response alone, and leads from the call to the interceptor. A call from elsewhere, such as a
 * unit test, gets what the method returns.
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
  // An own `Res({ passthrough: true })` of the method asks Nest to answer with what the handler returns.
  Reflect.defineMetadata(RESPONSE_PASSTHROUGH_METADATA, false, target.constructor, key);
  const wrapper: Method = function (...args) {
    const response = args[index];
    const runner =
      typeof response === 'object' && response !== null ? runners.get(response) : undefined;
    if (runner === undefined) return method.apply(this, args);
    runners.delete(response as object);
    return runner(() => method.apply(this, args.slice(0, index)));
  };
  Object.defineProperty(wrapper, 'name', { value: method.name, configurable: true });
  for (const metadataKey of Reflect.getMetadataKeys(method) as unknown[]) {
    Reflect.defineMetadata(metadataKey, Reflect.getMetadata(metadataKey, method), wrapper);
  }
  descriptor.value = wrapper;
}
