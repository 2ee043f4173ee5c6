import { SseClientError } from './client-error.js';
import type { ConnectOptions } from './connect.options.js';

/** As many as `fetch` follows. */
const MAX_REDIRECTS = 20;
const REDIRECTS = [301, 302, 303, 307, 308];
/** They describe a body, and go with it: https://fetch.spec.whatwg.org/#request-body-header-name */
const OF_BODY = ['content-encoding', 'content-language', 'content-location', 'content-type'];
const REMEDY = `connect to the URL there, or set redirect: 'follow', which sends it headers and body`;

/** What an attempt sends. */
export interface Init extends RequestInit {
  readonly method: string;
  readonly headers: Headers;
}

/**
 * Sends the request, and follows redirects as far as the option allows.
 * https://fetch.spec.whatwg.org/#http-redirect-fetch
 * @throws SseClientError `SSE_REDIRECT`, and what `fetch` throws
 */
export async function send(
  url: string | URL,
  init: Init,
  { fetch = globalThis.fetch, redirect = 'same-origin' }: ConnectOptions,
): Promise<Response> {
  if (redirect === 'follow') return fetch(url, init);
  for (let count = 0; ; count++) {
    const response = await fetch(url, { ...init, redirect: 'manual' });
    const { status, type, headers } = response;
    const isOpaque = type === 'opaqueredirect';
    const location = REDIRECTS.includes(status) && headers.get('location');
    if (!isOpaque && !location) return response;
    if (redirect === 'error') throw refused(`the server redirects, and redirect is 'error'`);
    if (!location) return sendWithinPage(url, init, fetch);
    if (count === MAX_REDIRECTS) throw refused(`redirected more than ${MAX_REDIRECTS} times`);
    // A body that nobody reads would hold its socket.
    await response.body?.cancel();
    url = within(url, location);
    const { method } = init;
    if ((method === 'POST' && status <= 302) || (method !== 'HEAD' && status === 303)) {
      init = asGet(init);
    }
  }
}

/** Where this location is, in the origin of the URL. */
function within(url: string | URL, location: string): URL {
  // Browsers take relative URLs, which only a request resolves.
  const from = new URL(new Request(url).url);
  let to: URL;
  try {
    to = new URL(location, from);
  } catch {
    throw refused(`the server redirects to "${location}", which is no URL`);
  }
  if (to.origin === from.origin) return to;
  throw refused(`the server redirects to another origin, ${to.origin}: ${REMEDY}`);
}

function asGet({ headers, ...init }: Init): Init {
  const kept = new Headers(headers);
  for (const name of OF_BODY) kept.delete(name);
  return { ...init, method: 'GET', headers: kept, body: null };
}

/** Browsers hide where a redirect leads. In this mode they follow it as long as it is within the origin of the page. */
async function sendWithinPage(
  url: string | URL,
  init: Init,
  fetch: NonNullable<ConnectOptions['fetch']>,
): Promise<Response> {
  try {
    return await fetch(url, { ...init, mode: 'same-origin' });
  } catch {
    // Either the redirect leaves the origin, or the network is away. Then this fails too.
    const response = await fetch(url, { ...init, redirect: 'manual' });
    if (response.type !== 'opaqueredirect') return response;
    throw refused(
      `the server redirects, and not within the origin of this page; browsers do not tell where: ${REMEDY}`,
    );
  }
}

function refused(message: string): SseClientError {
  return new SseClientError('SSE_REDIRECT', message, { isFinal: true });
}
