import { ForbiddenException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { preview } from '../ground/errors.js';
import type { HttpRequest } from '../output/request.js';
import { hostOf, isAllowed } from './hosts.js';

/**
 * Lets through what names a known host. A guard that decides by address cannot tell a page whose
 * name was bent to this process (DNS rebinding): the browser takes it for the inspector's own, and
 * sends the name that it believes in.
 */
export class AllowedHostsGuard implements CanActivate {
  /** @param hosts `undefined`: any */
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
