import 'reflect-metadata';
import type { Type } from '@nestjs/common';
import {
  HOST_METADATA,
  HTTP_CODE_METADATA,
  METHOD_METADATA,
  MODULE_PATH,
  PATH_METADATA,
  RENDER_METADATA,
  VERSION_METADATA,
} from '@nestjs/common/constants.js';
import type { ModulesContainer } from '@nestjs/core';
import { SseOptionsError } from '../ground/errors.js';
import type { SseStreamOptions } from '../connection/stream.options.js';
import type { AnyContract } from '../schema/contract-types.js';
import { hasBody } from '../wire/negotiation.js';
import { checkParameters, inputParameters } from './contract-route.js';

/** The metadata key for the options of `@SseStream()`. */
export const SSE_STREAM = 'nestjs-eventstream:stream';

/** What `@SseStream()` stores: its options, and its contract if it has one. */
export interface RouteOptions extends SseStreamOptions {
  readonly contract?: AnyContract;
}

/** A method with `@SseStream()`. */
export interface StreamRoute {
  readonly controller: Type;
  readonly handler: object;
  readonly key: string;
  readonly name: string;
  readonly contract: AnyContract | undefined;
  /** What `RouterModule` puts before the path of the controller. */
  readonly modulePath: string;
}

/** All stream routes of the app. */
export function streamRoutes(modules: ModulesContainer): StreamRoute[] {
  const { applicationId } = modules;
  return [...modules.values()].flatMap(({ controllers, metatype: module }) => {
    const [modulePath = ''] = [MODULE_PATH + applicationId, MODULE_PATH]
      .map((key) => Reflect.getMetadata(key, module) as string | undefined)
      .filter(Boolean);
    return [...controllers.values()].flatMap(({ metatype }) =>
      routesOf(metatype as Type | null, modulePath),
    );
  });
}

/**
 * Refuses decorators that make a stream impossible, and contracts that do not fit their route.
 * @throws SseOptionsError
 */
export function checkStreamRoutes(routes: readonly StreamRoute[], globalPrefix: string): void {
  checkContracts(routes, globalPrefix);
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

function checkContracts(routes: readonly StreamRoute[], globalPrefix: string): void {
  const known = new Map<string, StreamRoute>();
  for (const route of routes) {
    const { controller, key, name, contract, modulePath } = route;
    if (contract !== undefined) {
      const prototype = controller.prototype as object;
      const prefix = [globalPrefix, modulePath, pathOf(controller)].join('/');
      checkParameters(prefix, contract, inputParameters(prototype, key), name);
    }
    const place = placeOf(route);
    const other = known.get(place);
    known.set(place, route);
    if (other === undefined || (contract === undefined && other.contract === undefined)) continue;
    // A controller may be in several modules.
    if (other.name === name && other.handler === route.handler) continue;
    const problem = `${other.name} has the same route, so only one of them is called; give each contract a path of its own`;
    throw new SseOptionsError(`@SseStream() of ${name}`, 'a route of its own', place, problem);
  }
}

/** What tells a route from others: method, host, version and path, whatever its parameters are. */
function placeOf({ controller, handler, modulePath }: StreamRoute): string {
  const path = ['', modulePath, pathOf(controller), pathOf(handler)]
    .join('/')
    .replace(/\/+/g, '/')
    .replace(/:\w+/g, ':');
  const about = [HOST_METADATA, VERSION_METADATA].map((metadata) =>
    String(
      Reflect.getMetadata(metadata, handler) ?? Reflect.getMetadata(metadata, controller) ?? '',
    ),
  );
  return [Reflect.getMetadata(METHOD_METADATA, handler), ...about, path].join(' ');
}

function pathOf(target: object): string {
  return [Reflect.getMetadata(PATH_METADATA, target) as unknown].flat().join('|');
}

function routesOf(controller: Type | null, modulePath: string): StreamRoute[] {
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
      const { contract } = Reflect.getMetadata(SSE_STREAM, handler) as RouteOptions;
      const name = `${controller!.name}.${key}()`;
      routes.push({ controller: controller!, handler, key, name, contract, modulePath });
    }
  }
  return routes;
}
