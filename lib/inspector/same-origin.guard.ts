import { ForbiddenException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { preview } from '../ground/errors.js';
import type { HttpRequest } from '../output/request.js';
import { hostOf, isOriginOf, isOriginOneOf } from './hosts.js';

/**
 * Admits requests of the inspector's own page. This stops cross-site request forgery, where a page
 * of another site sends a POST with the cookies of somebody whom the app's guard admits. A form
 * cannot send a custom header, and a script that sends one needs the permission of the app's CORS.
 * If CORS allows every origin, two headers that no script can set identify the page:
 * `Sec-Fetch-Site` (HTTPS and localhost), else `Origin`.
 */
export class SameOriginGuard implements CanActivate {
  /** @param hosts the page's hosts, if a proxy replaces `Host` */
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
      `The page at ${preview(origin)} is not the inspector; if a proxy changes the header Host, ` +
        "make it pass the browser's Host, or add the host of the page to `allowedHosts`",
    );
  }
}
