import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { lateNext, OWNER } from './late-answers.js';

/** Where Express keeps what it parsed. */
const PARSED_URL = '_parsedUrl';

/** What Express, its router and Nest's body parser set on each request. */
const OF_REQUEST = [
  'res',
  'next',
  'baseUrl',
  'originalUrl',
  PARSED_URL,
  'params',
  'body',
  'route',
] as const;

/** What the router notes for its diagnostics. Only a request tells which symbol that is. */
let ofRouter: symbol[] = [];

/**
 * Gives each request and response the properties that Express is about to set, as `undefined`.
 * Express changes the prototype of both. Each property that is added afterwards makes V8 copy the
 * object's hidden class, and the last copy lives as long as the request: 2.2 KB, and a third of the
 * CPU time of a request. Before that change, V8 shares the classes. No property that an app sets
 * itself is among them, because a guard may look with `in` whether there is one. Figures:
 * docs/decisions/022-what-an-idle-connection-lets-go.md.
 */
export function shapeRequests(server: EventEmitter): void {
  server.prependListener('request', shape);
}

function shape(request: IncomingMessage, response: ServerResponse): void {
  const of = request as unknown as Record<string | symbol, unknown>;
  for (const name of OF_REQUEST) of[name] = undefined;
  for (const symbol of ofRouter) of[symbol] = undefined;
  // The values that Node's class has for all.
  const { statusCode, statusMessage } = response;
  Object.assign(response, { locals: undefined, statusCode, statusMessage, [OWNER]: undefined });
}

/**
 * Lets go of what Express needs to find the next route of a request: there is none when the stream
 * has begun. Its parsed URL is parsed again if somebody asks for it.
 */
export function endRouting(request: object): void {
  const of = request as Record<string, unknown>;
  if (typeof of['next'] !== 'function') return;
  of['next'] = lateNext;
  if (typeof of[PARSED_URL] === 'object') of[PARSED_URL] = undefined;
  if (ofRouter.length > 0) return;
  ofRouter = Object.getOwnPropertySymbols(request).filter(({ description }) =>
    description?.startsWith('router.'),
  );
}
