import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { parseLastEventId, type ReturningClient } from '../wire/last-event-id.js';

/**
 * The request as handlers get it from Express or Fastify.
 * @publicApi
 */
export interface HttpRequest {
  readonly raw?: IncomingMessage | Http2ServerRequest;
  readonly headers: IncomingMessage['headers'];
  readonly query?: unknown;
  /** The client's address. Behind a proxy, set `trust proxy` of the platform. */
  readonly ip?: string;
}

/** The client's address. Behind a proxy, the platform must be set to trust it. */
export function addressOf(request: HttpRequest): string {
  const { socket } = (request.raw ?? request) as Partial<IncomingMessage>;
  return request.ip ?? socket?.remoteAddress ?? '';
}

/** The path without the query. */
export function pathOf(request: HttpRequest): string {
  const { originalUrl, url } = request as { originalUrl?: string; url?: string };
  return (originalUrl ?? url ?? '').split('?', 1)[0] ?? '';
}

/** The declared pattern of the route, such as `/jobs/:id`; the path if that is not known. */
export function routeOf(request: HttpRequest): string {
  const { route, routeOptions } = request as {
    route?: { path?: unknown };
    routeOptions?: { url?: unknown };
  };
  const pattern = route?.path ?? routeOptions?.url;
  return typeof pattern === 'string' ? pattern : pathOf(request);
}

const BEYOND_ASCII = /[\x80-\xff]/;

/**
 * The last event ID of a returning client: the header, then `?lastEventId=`. Browsers send its
 * UTF-8 bytes, which Node decodes as Latin-1.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header
 */
export function lastEventIdOf(request: HttpRequest): string | undefined {
  const header = request.headers['last-event-id'];
  if (typeof header === 'string' && header !== '') {
    if (!BEYOND_ASCII.test(header)) return header;
    const text = Buffer.from(header, 'latin1').toString('utf8');
    return text.includes('\uFFFD') ? header : text;
  }
  const query = (request.query as Record<string, unknown> | undefined)?.['lastEventId'];
  return typeof query === 'string' && query !== '' ? query : undefined;
}

/** The parsed last event ID; `undefined` for a client without one. */
export function returningClientOf(request: HttpRequest): ReturningClient | undefined {
  const lastEventId = lastEventIdOf(request);
  return lastEventId === undefined ? undefined : parseLastEventId(lastEventId);
}
