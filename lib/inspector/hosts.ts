import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/**
 * The host of a request, as the browser wrote it. Never `X-Forwarded-Host`: if the app trusts a
 * proxy on this machine, a page that uses DNS rebinding could send it.
 */
export function hostOf(headers: IncomingHttpHeaders): string {
  const authority = headers[':authority'];
  return headers.host ?? (typeof authority === 'string' ? authority : '');
}

/** Whether a page of this origin was loaded from the host. The opaque origin `null` was not. */
export function isOriginOf(origin: string, host: string): boolean {
  const page = parsed(origin);
  return page !== undefined && page.host === parsed(`${page.protocol}//${host}`)?.host;
}

/** Whether a host is one of `names`, or `localhost` or an address, which DNS cannot rebind. */
export function isAllowed(host: string, names: readonly string[]): boolean {
  const hostname = parsed(`http://${host}`)?.hostname ?? '';
  return (
    isIP(hostname.replace(/^\[|\]$/g, '')) !== 0 || isOneOf(hostname, ['.localhost', ...names])
  );
}

/** Whether a page of this origin was loaded from one of `names`. */
export function isOriginOneOf(origin: string, names: readonly string[]): boolean {
  return isOneOf(parsed(origin)?.hostname ?? '', names);
}

/** A name with a leading dot also matches all its subdomains. */
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
