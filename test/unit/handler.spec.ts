import { describe, expect, it, jest } from '@jest/globals';
import {
  runHandlerWith,
  wrapHandler,
  type HandlerRunner,
} from '../../lib/nest/handler-takeover.js';

type Method = (this: unknown, ...args: unknown[]) => unknown;

const Wrapped = (target: object, key: string, descriptor: PropertyDescriptor): void =>
  wrapHandler(target, key, descriptor);
const Marked =
  (mark: string): MethodDecorator =>
  (_target, _key, descriptor) =>
    Reflect.defineMetadata('mark', mark, descriptor.value as object);

class Controller {
  greeting = 'Hi';

  @Wrapped
  @Marked('below')
  greet(name: string, sign = '!'): string {
    return `${this.greeting} ${name}${sign} ${arguments.length}`;
  }
}

const call = (...args: unknown[]): unknown =>
  (Controller.prototype.greet as Method).apply(new Controller(), args);

describe('a wrapped handler', () => {
  it('returns what its method returns when it is called from elsewhere', () => {
    expect(new Controller().greet('Ann')).toBe('Hi Ann! 1');
    expect(call('Ann', '?', { no: 'runner' })).toBe('Hi Ann? 3');
  });

  it('is run by the runner of its response, without seeing the response', async () => {
    const response = {};
    const results: unknown[] = [];
    const runner = jest.fn<HandlerRunner>((run) => Promise.resolve(void results.push(run())));
    runHandlerWith(response, runner);
    await expect(call('Ann', '?', response)).resolves.toBeUndefined();
    expect(runner).toHaveBeenCalledTimes(1);
    expect(results).toEqual(['Hi Ann? 2']);
  });

  it('finds the response behind all its parameters, optional ones too', () => {
    const response = {};
    const runner = jest.fn<HandlerRunner>(() => Promise.resolve());
    runHandlerWith(response, runner);
    call('Ann', response);
    expect(runner).not.toHaveBeenCalled();
    void call('Ann', undefined, response);
    expect(runner).toHaveBeenCalledTimes(1);
  });

  it('hands on what its runner answers, such as a rejection', async () => {
    const response = {};
    runHandlerWith(response, () => Promise.reject(new Error('404')));
    await expect(call('Ann', '?', response)).rejects.toThrow('404');
  });

  it('keeps the name and the metadata of its method', () => {
    const { value } = Object.getOwnPropertyDescriptor(Controller.prototype, 'greet') as {
      value: Method;
    };
    expect(value.name).toBe('greet');
    expect(Reflect.getMetadata('mark', value)).toBe('below');
  });

  it('leaves alone what is no method', () => {
    const descriptor: TypedPropertyDescriptor<Method> = {};
    wrapHandler({}, 'key', descriptor);
    expect(descriptor).toEqual({});
  });
});
