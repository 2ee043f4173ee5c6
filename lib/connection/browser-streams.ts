import { warnOfManyStreams } from '../ground/warnings.js';
import { addressOf, type HttpRequest } from '../output/request.js';

/**
 * A browser opens at most this many HTTP/1.1 connections to an origin. If streams take all of them,
 * its next request waits.
 */
const CONNECTIONS_OF_A_BROWSER = 6;

/**
 * Warns about browsers that are about to block themselves with too many streams. Ignores requests
 * that came through a proxy: the browser may speak HTTP/2 to it.
 */
export class BrowserStreams {
  private readonly counts = new Map<string, number>();

  opened(request: HttpRequest): void {
    const browser = browserOf(request);
    if (browser === undefined) return;
    const count = (this.counts.get(browser) ?? 0) + 1;
    this.counts.set(browser, count);
    if (count >= CONNECTIONS_OF_A_BROWSER) warnOfManyStreams(count);
  }

  closed(request: HttpRequest): void {
    const browser = browserOf(request);
    const count = browser === undefined ? 0 : (this.counts.get(browser) ?? 0);
    if (browser === undefined || count === 0) return;
    if (count === 1) this.counts.delete(browser);
    else this.counts.set(browser, count - 1);
  }
}

function browserOf(request: HttpRequest): string | undefined {
  const { headers } = request;
  const { httpVersionMajor } = (request.raw ?? request) as { httpVersionMajor?: number };
  const isDirect = headers.via === undefined && headers['x-forwarded-for'] === undefined;
  const program = headers['user-agent'];
  // Only browsers send `sec-fetch-mode`. All tabs of one browser send the same user agent.
  if (httpVersionMajor !== 1 || !isDirect || headers['sec-fetch-mode'] === undefined)
    return undefined;
  // To ask for the address costs a call of the system, and more behind proxies.
  return `${addressOf(request)} ${program}`;
}
