import 'reflect-metadata';
import type { Type } from '@nestjs/common';
import { HTTP_CODE_METADATA, RENDER_METADATA } from '@nestjs/common/constants.js';
import type { ModulesContainer } from '@nestjs/core';
import { SseOptionsError } from '../ground/errors.js';
import { hasBody } from '../wire/negotiation.js';

/** The metadata key for the options of `@SseStream()`. */
export const SSE_STREAM = 'nestjs-eventstream:stream';

/** A method with `@SseStream()`. */
export interface StreamRoute {
  readonly controller: Type;
  readonly handler: object;
  readonly name: string;
}

/** All stream routes of the app. */
export function streamRoutes(modules: ModulesContainer): StreamRoute[] {
  const controllers = [...modules.values()].flatMap((module) => [...module.controllers.values()]);
  return controllers.flatMap(({ metatype }) => routesOf(metatype as Type | null));
}

/**
 * Refuses decorators that make a stream impossible.
 * @throws SseOptionsError
 */
export function checkStreamRoutes(routes: readonly StreamRoute[]): void {
  for (const { handler, name } of routes) {
    const status: unknown = Reflect.getMetadata(HTTP_CODE_METADATA, handler);
    if (typeof status === 'number' && !hasBody(status)) {
      const problem = `a response with status ${status} has no body to stream; remove the decorator`;
      throw new SseOptionsError(`@HttpCode() of ${name}`, 'a status with a body', status, problem);
    }
    const template: unknown = Reflect.getMetadata(RENDER_METADATA, handler);
    if (template !== undefined) {
      const problem = 'a stream is not rendered; remove the decorator, or use another route';
      throw new SseOptionsError(`@Render() of ${name}`, 'no template', template, problem);
    }
  }
}

function routesOf(controller: Type | null): StreamRoute[] {
  const routes: StreamRoute[] = [];
  const seen = new Set<string>();
  let at = controller?.prototype as object | undefined;
  for (; at && at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      const handler: unknown = value;
      const isOverridden = seen.has(key);
      seen.add(key);
      if (isOverridden) continue;
      if (typeof handler !== 'function' || !Reflect.hasMetadata(SSE_STREAM, handler)) continue;
      routes.push({ controller: controller!, handler, name: `${controller!.name}.${key}()` });
    }
  }
  return routes;
}
