import type { ServerResponse } from 'node:http';
import { SseError } from '../ground/errors.js';
import type { McpRequest } from './mcp.options.js';
import { INTERNAL_ERROR, SERVER_ERROR } from './json-rpc.js';

/** Those with a header for it. Clients are not exact in which of them they send. */
const VERSIONS = ['2025-03-26', '2025-06-18', '2025-11-25'];
const VERSION = /^\d{4}-\d\d-\d\d$/;
/** From this version on, clients take an event without data for what it is: an id. */
const FIRST_WITH_IDS = '2025-11-25';

/** Why a request is not served; it is answered with this. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code = SERVER_ERROR,
  ) {
    super(message);
  }

  send(response: ServerResponse): void {
    const { status, code, message } = this;
    const headers = {
      'content-type': 'application/json',
      ...(status === 405 && { allow: 'GET, POST, DELETE' }),
    };
    const body = { jsonrpc: '2.0', error: { code, message }, id: null };
    response.writeHead(status, headers).end(JSON.stringify(body));
  }
}

export function headerOf(request: McpRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** @throws Refusal if the client does not take what it would get, or sent something else */
export function checkMedia(request: McpRequest): void {
  const accept = headerOf(request, 'accept') ?? '';
  const types = request.method === 'POST' ? ['application/json', EVENTS] : [EVENTS];
  if (!types.every((type) => accept.includes(type))) {
    throw new Refusal(406, `Not Acceptable: send \`Accept: ${types.join(', ')}\``);
  }
  if (request.method !== 'POST') return;
  const [type = ''] = (headerOf(request, 'content-type') ?? '').split(';');
  if (type.trim().toLowerCase() === 'application/json') return;
  throw new Refusal(415, 'Unsupported Media Type: send `Content-Type: application/json`');
}

const EVENTS = 'text/event-stream';

/**
 * Returns the session that the request names.
 * @throws Refusal for none
 */
export function sessionIdOf(request: McpRequest): string {
  const id = headerOf(request, 'mcp-session-id');
  if (id !== undefined) return id;
  throw new Refusal(400, 'Bad Request: the header Mcp-Session-Id is missing');
}

/** @throws Refusal for a version that there is not */
export function checkVersion(request: McpRequest, negotiated: string): void {
  const version = headerOf(request, 'mcp-protocol-version') ?? negotiated;
  if (version === negotiated || VERSIONS.includes(version)) return;
  throw new Refusal(400, `Bad Request: the MCP-Protocol-Version of this session is ${negotiated}`);
}

/** Whether the client takes an event that has nothing but an id. */
export function takesIds(version: unknown): boolean {
  return typeof version === 'string' && VERSION.test(version) && version >= FIRST_WITH_IDS;
}

/** What the tools of a server see of a request, without what proves who the client is. */
export function shownHeaders(headers: McpRequest['headers']): McpRequest['headers'] {
  const { authorization: _token, cookie: _cookie, ...shown } = headers;
  return shown;
}

/** What a request is answered with that has failed. */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const isAway = error instanceof SseError && error.code === 'SSE_LOG_UNAVAILABLE';
  if (isAway) return new Refusal(503, 'Service Unavailable: try again', INTERNAL_ERROR);
  const isLimit = error instanceof SseError && error.code === 'SSE_LIMIT';
  if (isLimit) return new Refusal(413, `Content Too Large: ${error.message}`);
  return new Refusal(500, 'Internal Server Error', INTERNAL_ERROR);
}
