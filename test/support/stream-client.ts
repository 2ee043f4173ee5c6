import { createParser, type EventSourceMessage } from 'eventsource-parser';
import http, { type IncomingHttpHeaders } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';

export interface StreamRequest {
  url: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  http2?: boolean | undefined;
}

/** A client on a real socket that keeps every byte, and parses them by WHATWG. */
export interface StreamClient {
  /** The response's status and headers. */
  readonly response: Promise<{ status: number; headers: IncomingHttpHeaders }>;
  /** All of the body so far. */
  readonly text: string;
  /** Resolves with the whole body when the response ended in full; rejects when it was cut. */
  readonly ended: Promise<string>;
  /** The events so far. */
  readonly events: readonly EventSourceMessage[];
  /** Whether the connection is over, in whatever way. */
  readonly closed: Promise<void>;
  /** The next event that was not asked for yet. */
  next(): Promise<EventSourceMessage>;
  take(count: number): Promise<EventSourceMessage[]>;
  /** Resolves when the body so far has what `predicate` looks for. */
  until(predicate: (text: string) => boolean): Promise<string>;
  /** Leaves, as a browser does that closes the page. */
  abort(): void;
  pause(): void;
  resume(): void;
  /** While paused: takes so many bytes, if as many have arrived. */
  read(bytes: number): void;
}

interface Exchange {
  abort(): void;
  readonly body: NodeJS.ReadableStream;
}

export function openStream(request: StreamRequest): StreamClient {
  let text = '';
  let taken = 0;
  const events: EventSourceMessage[] = [];
  const waiting = new Set<() => void>();
  const changed = (): void => {
    for (const look of waiting) look();
  };
  const parser = createParser({ onEvent: (event) => events.push(event) });
  const decoder = new TextDecoder();

  const response = deferred<{ status: number; headers: IncomingHttpHeaders }>();
  const ended = deferred<string>();
  const closed = deferred<void>();
  let failure: Error | undefined;
  const over = (error?: Error): void => {
    failure = error ?? new Error('the response was cut');
    response.reject(failure);
    ended.reject(failure);
    closed.resolve();
    changed();
  };
  const exchange = (request.http2 ? sendHttp2 : sendHttp1)(request, {
    onResponse: (status, headers) => response.resolve({ status, headers }),
    onData(chunk) {
      const part = decoder.decode(chunk, { stream: true });
      text += part;
      parser.feed(part);
      changed();
    },
    onEnd: () => ended.resolve(text),
    onClose: over,
  });

  const until = <T>(look: () => T | undefined, what: () => string): Promise<T> =>
    new Promise((resolve, reject) => {
      const attempt = (): void => {
        const found = look();
        if (found === undefined && failure === undefined) return;
        waiting.delete(attempt);
        if (found === undefined)
          reject(new Error(`the stream ended before ${what()}; got:\n${text.slice(-400)}`));
        else resolve(found);
      };
      waiting.add(attempt);
      attempt();
    });

  return {
    response: response.promise,
    ended: ended.promise,
    closed: closed.promise,
    events,
    get text() {
      return text;
    },
    next: () => {
      const index = taken++;
      return until(
        () => events[index],
        () => `event ${index + 1}`,
      );
    },
    take(count) {
      return Promise.all(Array.from({ length: count }, () => this.next()));
    },
    until: (predicate) =>
      until(
        () => (predicate(text) ? text : undefined),
        () => 'what was waited for',
      ),
    abort: () => exchange.abort(),
    pause: () => exchange.body.pause(),
    resume: () => exchange.body.resume(),
    read: (bytes) => void exchange.body.read(bytes),
  };
}

interface Callbacks {
  readonly onResponse: (status: number, headers: IncomingHttpHeaders) => void;
  readonly onData: (chunk: Buffer) => void;
  readonly onEnd: () => void;
  readonly onClose: (error?: Error) => void;
}

function sendHttp1({ url, method = 'GET', headers, body }: StreamRequest, on: Callbacks): Exchange {
  const { request } = url.startsWith('https') ? https : http;
  let message: http.IncomingMessage | undefined;
  const outgoing = request(url, { method, headers, agent: false, rejectUnauthorized: false });
  outgoing.on('response', (incoming) => {
    message = incoming;
    on.onResponse(incoming.statusCode ?? 0, incoming.headers);
    incoming.on('data', on.onData);
    incoming.on('end', () => on.onEnd());
    incoming.on('error', () => {});
    incoming.on('close', () => on.onClose());
  });
  outgoing.on('error', (error) => on.onClose(error));
  outgoing.end(body);
  return {
    abort: () => outgoing.destroy(),
    get body() {
      if (message === undefined) throw new Error('no response yet');
      return message;
    },
  };
}

function sendHttp2({ url, method = 'GET', headers, body }: StreamRequest, on: Callbacks): Exchange {
  const { origin, pathname, search } = new URL(url);
  const session = http2.connect(origin, { rejectUnauthorized: false });
  session.on('error', (error) => on.onClose(error));
  const stream = session.request({ ':method': method, ':path': pathname + search, ...headers });
  stream.on('response', (received) => on.onResponse(received[':status'] ?? 0, received));
  stream.on('data', on.onData);
  stream.on('end', () => on.onEnd());
  stream.on('error', () => {});
  stream.on('close', () => {
    on.onClose();
    session.close();
  });
  stream.end(body);
  return { abort: () => session.destroy(), body: stream };
}

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}
