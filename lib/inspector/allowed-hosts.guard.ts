import { ForbiddenException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { preview } from '../ground/errors.js';
import type { HttpRequest } from '../output/request.js';
import { hostOf, isAllowed } from './hosts.js';

/**
 * Admits requests for a known host. This stops DNS rebinding, where a page of another site points
 * its own name at this process: the browser treats the page as the inspector's, so a guard that
 * decides by address admits it, but `Host` still has the other name.
 */
export class AllowedHostsGuard implements CanActivate {
  /** @param hosts `undefined`: any host */
  constructor(private readonly hosts: readonly string[] | undefined) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<HttpRequest>();
    const host = hostOf(headers);
    if (this.hosts === undefined || isAllowed(host, this.hosts)) return true;
    throw new ForbiddenException(
      `The inspector does not answer requests for the host ${preview(host)}; add it to \`allowedHosts\``,
    );
  }
}
