import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/**
 * The host that a request names, as a browser wrote it. Never `X-Forwarded-Host`: where a proxy on
 * this machine is trusted, a page that a name was bent to this machine for (DNS rebinding) could
 * send it.
 */
export function hostOf(headers: IncomingHttpHeaders): string {
  const authority = headers[':authority'];
  return headers.host ?? (typeof authority === 'string' ? authority : '');
}

/**
 * Whether the page of this origin was loaded from the host. A page without an origin of its own
 * (`null`) was not.
 */
export function isOriginOf(origin: string, host: string): boolean {
  const page = parsed(origin);
  return page !== undefined && page.host === parsed(`${page.protocol}//${host}`)?.host;
}

/**
 * Whether a host is one of `names`, or one that no foreign name can be bent to: `localhost` or an
 * address.
 */
export function isAllowed(host: string, names: readonly string[]): boolean {
  const hostname = parsed(`http://${host}`)?.hostname ?? '';
  return (
    isIP(hostname.replace(/^\[|\]$/g, '')) !== 0 || isOneOf(hostname, ['.localhost', ...names])
  );
}

/** Whether the page of this origin was loaded from one of `names`. */
export function isOriginOneOf(origin: string, names: readonly string[]): boolean {
  return isOneOf(parsed(origin)?.hostname ?? '', names);
}

/** A name that begins with a dot stands for all below it too. */
function isOneOf(hostname: string, names: readonly string[]): boolean {
  return names
    .map((name) => name.toLowerCase())
    .some((name) => (name.startsWith('.') ? `.${hostname}`.endsWith(name) : hostname === name));
}

function parsed(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
