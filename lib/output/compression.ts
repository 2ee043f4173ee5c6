import type { ServerResponse } from 'node:http';
import type { CompressionSettings, EncodedHead } from './encoder.js';
import type { Gzip } from './gzip.js';
import type { HttpRequest } from './request.js';
import type { Headers } from './stream-headers.js';

/**
 * The compression of a route's streams. What compresses is loaded for the first request, so an app
 * without the option never loads it.
 */
export class Compression {
  private gzip: Gzip | undefined;

  constructor(readonly settings: CompressionSettings) {}

  /** Must have resolved before the first response begins. */
  async load(): Promise<void> {
    const { gzipOf } = await import('./gzip.js');
    this.gzip = gzipOf(this.settings);
  }

  /** Decides whether a response is compressed, and adds to its headers. */
  begin(request: HttpRequest, raw: ServerResponse, headers: Headers): EncodedHead | undefined {
    return this.gzip?.begin(request, raw, headers);
  }
}

/** The settings that a response's head depends on. */
export interface HeadSettings {
  readonly headers: Readonly<Record<string, string>>;
  readonly compression?: Compression | undefined;
}
