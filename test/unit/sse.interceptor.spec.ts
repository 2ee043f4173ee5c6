import { describe, expect, it } from '@jest/globals';
import type { ExecutionContext } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { of } from 'rxjs';
import type { RouteInterceptors } from '../../lib/nest/route-interceptors.js';
import { SseInterceptor } from '../../lib/nest/sse.interceptor.js';
import { openRegistry } from '../support/registry.js';

const noneAround = { toPlain: () => undefined } as unknown as RouteInterceptors;
const intercept = (context: object): unknown => {
  const interceptor = new SseInterceptor(new HttpAdapterHost(), openRegistry(), {}, noneAround);
  return interceptor.intercept(context as ExecutionContext, { handle: () => of(undefined) });
};
const http = (response: object) => ({
  getType: () => 'http',
  getHandler: () => intercept,
  switchToHttp: () => ({ getRequest: () => ({ headers: {} }), getResponse: () => response }),
});

describe('what cannot be streamed is refused before anything is written', () => {
  // feature: 33
  it.each([
    ['a context without HTTP', { getType: () => 'rpc' }, 'got a context of type "rpc"'],
    [
      'a response that has begun',
      http({ headersSent: true }),
      'the response has already begun; only the handler',
    ],
    [
      'a response that has ended',
      http({ writableEnded: true }),
      'the response has already begun; only the handler',
    ],
  ])('%s', (_title, context, message) => {
    const refused = expect.objectContaining({
      code: 'SSE_NOT_STREAMABLE',
      message: expect.stringContaining(message),
    });
    expect(() => intercept(context)).toThrow(refused);
  });
});
