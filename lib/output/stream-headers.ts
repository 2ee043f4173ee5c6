/** A header as Node takes it; `undefined` for none. */
export type HeaderValue = number | string | string[] | undefined;
export type Headers = Readonly<Record<string, HeaderValue>>;

export const EVENT_STREAM = 'text/event-stream';

/** Proxies must not store, change or buffer the stream. */
export const STREAM_HEADERS = {
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
};

/**
 * The headers of a stream: the library's, then those the app set on the response, then the option
 * `headers`. `no-transform` is added to the app's own `Cache-Control`, because few apps know that
 * proxies compress and buffer without it. The option can leave it out.
 */
export function streamHeaders(connection: Headers, app: Headers, own: Headers): Headers {
  const type = contentTypeIn(own) ?? contentTypeIn(app) ?? EVENT_STREAM;
  const cacheControl = valueOf(app, 'cache-control');
  const sources = [
    STREAM_HEADERS,
    connection,
    app,
    cacheControl === undefined ? {} : { 'Cache-Control': withNoTransform(cacheControl) },
    own,
    { 'Content-Type': type },
  ];
  return mergeHeaders(sources);
}

/**
 * Node frames the body. With somebody else's length, a client would read the rest of the stream as
 * another response.
 */
export const FRAMING_HEADERS = ['content-length', 'transfer-encoding'];

/** Later sources win. Names are case-insensitive. Without the headers that frame the body. */
export function mergeHeaders(sources: readonly Headers[]): Headers {
  const names: Record<string, string> = {};
  const merged: Record<string, HeaderValue> = {};
  for (const source of sources) {
    for (const name in source) {
      const value = source[name];
      if (value === undefined) continue;
      const key = name.toLowerCase();
      const earlier = names[key];
      if (earlier !== undefined && earlier !== name) delete merged[earlier];
      names[key] = name;
      merged[name] = value;
    }
  }
  for (const key of FRAMING_HEADERS) delete merged[names[key] ?? ''];
  return merged;
}

/** Adds the name of a request header to `Vary`. Returns new headers. */
export function withVary(headers: Headers, name: string): Headers {
  const known = [valueOf(headers, 'vary') ?? []].flat().join(', ');
  const names = known.split(',').map((each) => each.trim().toLowerCase());
  if (names.includes(name.toLowerCase()) || names.includes('*')) return headers;
  return mergeHeaders([headers, { Vary: known === '' ? name : `${known}, ${name}` }]);
}

/** Whether it is the type of an event stream, with any parameters, such as `charset`. */
export function isEventStreamType(type: string): boolean {
  return type.split(';', 1)[0]?.trim().toLowerCase() === EVENT_STREAM;
}

/** Clients refuse a stream of any other type, so it is ignored. */
function contentTypeIn(headers: Headers): string | undefined {
  const type = String(valueOf(headers, 'content-type') ?? '');
  return isEventStreamType(type) ? type : undefined;
}

function withNoTransform(cacheControl: HeaderValue): string {
  const text = String(cacheControl);
  return /\bno-transform\b/i.test(text) ? text : `${text}, no-transform`;
}

export function valueOf(headers: Headers, name: string): HeaderValue {
  for (const known in headers) if (known.toLowerCase() === name) return headers[known];
  return undefined;
}
