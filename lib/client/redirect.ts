import { letGo } from './body.js';
import { SseClientError } from './client-error.js';
import type { ConnectOptions } from './connect.options.js';

/** The same limit as in `fetch`. */
const MAX_REDIRECTS = 20;
const REDIRECTS = [301, 302, 303, 307, 308];
const REMEDY = `connect to that URL, or set redirect: 'follow' if it may get your headers`;

/** The request of an attempt. */
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
    const location = REDIRECTS.includes(status) && headers.get('location');
    if (!location && type !== 'opaqueredirect') return response;
    if (redirect === 'error') throw refused(", and redirect is 'error'");
    if (count === MAX_REDIRECTS) throw refused(` more than ${MAX_REDIRECTS} times`);
    if (location) {
      await letGo(response);
      url = within(url, location);
      if (becomesGet(init.method, status)) init = asGet(init);
    } else {
      if (count > 0) throw refused(` to another origin, which browsers hide: ${REMEDY}`);
      try {
        // In this mode browsers follow a redirect only within the origin of the page.
        return await fetch(url, { ...init, mode: 'same-origin' });
      } catch {
        // It leads elsewhere, or the network failed, and then the next request fails too.
      }
    }
  }
}

/** Resolves a location, and refuses another origin. */
function within(url: string | URL, location: string): URL {
  // A URL may be relative in browsers. `Request` resolves it.
  const from = new URL(new Request(url).url);
  let origin = location;
  try {
    const to = new URL(location, from);
    origin = to.origin;
    if (origin === from.origin) return to;
  } catch {
    // It is not a URL, so it is not in this origin.
  }
  throw refused(` to another origin, ${origin}: ${REMEDY}`);
}

function becomesGet(method: string, status: number): boolean {
  return status === 303 ? method !== 'HEAD' : status < 303 && method === 'POST';
}

function asGet({ headers, ...init }: Init): Init {
  // Drop the headers that describe the body.
  const kept = [...headers].filter(([name]) => !name.startsWith('content-'));
  return { ...init, method: 'GET', headers: new Headers(kept), body: null };
}

function refused(how: string): SseClientError {
  return new SseClientError('SSE_REDIRECT', `the server redirects${how}`, { isFinal: true });
}
