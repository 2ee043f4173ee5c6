import { ForbiddenException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { preview } from '../ground/errors.js';
import type { HttpRequest } from '../output/request.js';
import { hostOf, isOriginOf, isOriginOneOf } from './hosts.js';

/**
 * Lets through what the inspector's own page sends. Otherwise a page of another site that is open
 * in the same browser could send a POST with the cookies of somebody whom the app's guard lets in.
 * A form cannot send a header of its own, and a script that does has to ask the app's CORS first.
 * Where that allows every origin, the browser tells: to HTTPS and to localhost by `Sec-Fetch-Site`,
 * elsewhere by `Origin`. No script can set either.
 */
export class SameOriginGuard implements CanActivate {
  /** @param hosts from which the page is loaded where a proxy puts another `Host` into requests */
  constructor(private readonly hosts: readonly string[] = []) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<HttpRequest>();
    const { origin } = headers;
    const site = headers['sec-fetch-site'] ?? 'same-origin';
    if (site !== 'same-origin' || headers['x-sse-inspector'] === undefined) {
      throw new ForbiddenException(
        'Only the inspector page may send this request; a program must send the header X-Sse-Inspector: 1',
      );
    }
    if (headers['sec-fetch-site'] !== undefined || origin === undefined) return true;
    if (isOriginOf(origin, hostOf(headers)) || isOriginOneOf(origin, this.hosts)) return true;
    throw new ForbiddenException(
      `A page of ${preview(origin)} is not the inspector; if a proxy replaces the header Host, ` +
        'let it pass the one of the browser, or add the host of the page to `allowedHosts`',
    );
  }
}
