import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Stream, type StreamHost } from '../../lib/connection/stream.js';
import type { StreamSettings } from '../../lib/connection/stream-settings.js';
import { StreamResponse } from '../../lib/output/response.js';

/** Remembers what was written. While `full`, `write` answers false, as for a slow client. */
export class RecordingResponse extends EventEmitter {
  readonly chunks: string[] = [];
  full = false;
  readonly headersSent = false;
  readonly writableEnded = false;
  readonly writableLength = 0;
  readonly writableHighWaterMark = 16_384;
  readonly socket = { cork() {}, uncork() {} };
  statusCode = 200;
  head: { status: number; headers: Record<string, unknown> } | undefined;
  destroyed = false;
  ended = false;

  /** @param encoding of the chunks; `latin1` keeps bytes as they are */
  constructor(private readonly encoding: BufferEncoding = 'utf8') {
    super();
  }

  /** As Node's own class, of which this is the part that the library uses. */
  get asResponse(): ServerResponse {
    return this as unknown as ServerResponse;
  }
  writeHead(status: number, headers: Record<string, unknown>): void {
    this.head = { status, headers };
  }
  getHeader(): undefined {}
  hasHeader(): boolean {
    return false;
  }
  getHeaders(): Record<string, string> {
    return {};
  }
  write(chunk: Buffer): boolean {
    this.chunks.push(chunk.toString(this.encoding));
    return !this.full;
  }
  end(chunk?: Buffer): void {
    if (chunk !== undefined) this.chunks.push(chunk.toString(this.encoding));
    this.ended = true;
    setImmediate(() => this.emit('close'));
  }
  destroy(): void {
    this.destroyed = true;
    setImmediate(() => this.emit('close'));
  }
  drain(): void {
    this.full = false;
    this.emit('drain');
  }
}

/** The stream's side of a recording response, for a request of HTTP/1.1. */
export function streamResponse(
  raw: RecordingResponse,
  { method = 'GET', httpVersion = '1.1', headers = {} } = {},
): StreamResponse {
  const request = { headers, method, httpVersion, httpVersionMajor: 1, socket: {} };
  return new StreamResponse(request, raw.asResponse);
}

/** A stream of this process without a socket. It has not begun. */
export function recordedStream(
  host: StreamHost,
  settings: StreamSettings,
  raw = new RecordingResponse(),
): Stream {
  return new Stream({ headers: {} }, streamResponse(raw), settings, host);
}

/** The next turn of the event loop, after everything that waits for it now. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
