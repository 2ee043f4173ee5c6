import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';

/** A request on its own socket. Certificates are not checked. */
export interface StreamRequest {
  readonly url: string;
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  /** Uses HTTP/2 with prior knowledge. */
  readonly http2?: boolean | undefined;
}

/** The callbacks of an exchange. `onClose` is called once or twice, always last. */
interface ExchangeListener {
  onResponse(status: number, headers: http.IncomingHttpHeaders): void;
  onData(chunk: Buffer): void;
  /** The response is complete. */
  onEnd(): void;
  /** The exchange has ended, for whatever reason. */
  onClose(error?: Error): void;
}

/** One request and its response. */
export interface Exchange {
  /** Disconnects, as a browser that closes the page. */
  abort(): void;
  /** @throws Error if there is no response yet */
  readonly body: NodeJS.ReadableStream;
}

/** Sends the request at once. */
export function exchange(request: StreamRequest, listener: ExchangeListener): Exchange {
  return request.http2 ? overHttp2(request, listener) : overHttp1(request, listener);
}

function overHttp1(
  { url, method = 'GET', headers, body }: StreamRequest,
  listener: ExchangeListener,
): Exchange {
  const { request } = url.startsWith('https') ? https : http;
  let message: http.IncomingMessage | undefined;
  const outgoing = request(url, { method, headers, agent: false, rejectUnauthorized: false });
  outgoing.on('response', (incoming) => {
    message = incoming;
    listener.onResponse(incoming.statusCode ?? 0, incoming.headers);
    incoming.on('data', (chunk: Buffer) => listener.onData(chunk));
    incoming.on('end', () => listener.onEnd());
    incoming.on('error', () => {});
    incoming.on('close', () => listener.onClose());
  });
  outgoing.on('error', (error) => listener.onClose(error));
  outgoing.end(body);
  return {
    abort: () => outgoing.destroy(),
    get body() {
      if (message === undefined) throw new Error('there is no response yet');
      return message;
    },
  };
}

function overHttp2(
  { url, method = 'GET', headers, body }: StreamRequest,
  listener: ExchangeListener,
): Exchange {
  const { origin, pathname, search } = new URL(url);
  const session = http2.connect(origin, { rejectUnauthorized: false });
  session.on('error', (error) => listener.onClose(error));
  const stream = session.request({ ':method': method, ':path': pathname + search, ...headers });
  stream.on('response', (received) => listener.onResponse(received[':status'] ?? 0, received));
  stream.on('data', (chunk: Buffer) => listener.onData(chunk));
  stream.on('end', () => listener.onEnd());
  stream.on('error', () => {});
  stream.on('close', () => {
    listener.onClose();
    session.close();
  });
  stream.end(body);
  return { abort: () => session.destroy(), body: stream };
}
