import type { IncomingMessage } from 'node:http';
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';

const LOOPBACK = /^(::1|(::ffff:)?127\..*)$/;

/**
 * Lets in requests from this machine alone. If HOST lets others see the samples, they can look at
 * the pages, and can neither kill a process nor open the inspector. A page of another site in the
 * same browser must not be able to change anything either.
 */
@Injectable()
export class FromHereGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { method, socket, headers } = context.switchToHttp().getRequest<IncomingMessage>();
    if (!LOOPBACK.test(socket.remoteAddress ?? '')) return false;
    return method === 'GET' || (headers['sec-fetch-site'] ?? 'same-origin') === 'same-origin';
  }
}
