import 'reflect-metadata';

export type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Gives a wrapper the name of its method, and what other decorators have noted about that. */
export function wrapping(method: Method, wrapper: Method): Method {
  Object.defineProperty(wrapper, 'name', { value: method.name, configurable: true });
  for (const metadataKey of Reflect.getMetadataKeys(method) as unknown[]) {
    Reflect.defineMetadata(metadataKey, Reflect.getMetadata(metadataKey, method), wrapper);
  }
  return wrapper;
}
