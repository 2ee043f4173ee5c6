import type { IncomingHttpHeaders } from 'node:http';
import { constants, createGunzip } from 'node:zlib';
import { Deferred } from '../../lib/ground/deferred.js';
import { exchange, type Exchange, type StreamRequest } from '../../lib/testing/exchange.js';
import { until } from './until.js';

/** A client of a compressed stream, as strict as gzip is about its end. */
export interface GzipClient {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** What it could read so far. */
  readonly text: string;
  /** The bytes of the body so far, as they came. */
  readonly bytes: number;
  /** The data of the events so far. */
  readonly data: string[];
  /** Resolves with the whole text at an end that is right, and rejects for any other. */
  readonly ended: Promise<string>;
  until(what: string, look: (text: string) => boolean): Promise<void>;
  pause(): void;
  resume(): void;
  close(): void;
}

export async function openGzip(request: StreamRequest): Promise<GzipClient> {
  let status = 0;
  let headers: IncomingHttpHeaders = {};
  let text = '';
  let bytes = 0;
  const gunzip = createGunzip({ flush: constants.Z_SYNC_FLUSH });
  const decoder = new TextDecoder();
  const end = new Deferred<string>();
  gunzip.on('data', (part: Buffer) => (text += decoder.decode(part, { stream: true })));
  gunzip.on('end', () => end.resolve(text));
  gunzip.on('error', (error) => end.reject(error));
  const sent = { ...request, headers: { 'accept-encoding': 'gzip', ...request.headers } };
  const open = await new Promise<Exchange>((resolve, reject) => {
    const made = exchange(sent, {
      onResponse: (code, received) => {
        status = code;
        headers = received;
        resolve(made);
      },
      onData: (chunk) => {
        bytes += chunk.length;
        gunzip.write(chunk);
      },
      onEnd: () => gunzip.end(),
      onClose: (error = new Error('the connection was cut')) => {
        reject(error);
        if (!gunzip.writableEnded) end.reject(error);
      },
    });
  });
  return {
    status,
    headers,
    get text() {
      return text;
    },
    get bytes() {
      return bytes;
    },
    get data() {
      return [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => data);
    },
    ended: end.promise,
    until: (what, look) => until(`${what}; the text so far: ${text}`, () => look(text)),
    pause: () => void open.body.pause(),
    resume: () => void open.body.resume(),
    close: () => open.abort(),
  };
}
