import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';

/** The response, as Express or Fastify pass it to a handler. */
export interface HttpResponse {
  readonly raw?: ServerResponse | Http2ServerResponse;
  readonly statusCode: number;
  getHeaders(): Record<string, number | string | string[] | undefined>;
  removeHeader(name: string): unknown;
  hijack?(): void;
}
