import {
  ForbiddenException,
  Injectable,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { HttpRequest } from '../response.js';

/**
 * Lets through what the inspector's own page sends. Without it, a page of another site that is open in the same browser could
 * send a POST with the cookies of somebody whom the app's guard lets in. A form cannot send a header of its own, and a script
 * that does has to ask the app's CORS first. Where that allows every origin, `Sec-Fetch-Site` tells: no script can set it, and
 * browsers send it to HTTPS and to localhost.
 */
@Injectable()
export class FromPageGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<HttpRequest>();
    const site = headers['sec-fetch-site'] ?? 'same-origin';
    if (site === 'same-origin' && headers['x-sse-inspector'] !== undefined) return true;
    throw new ForbiddenException(
      'Only the page of the inspector may do this; a program sends the header X-Sse-Inspector: 1',
    );
  }
}
