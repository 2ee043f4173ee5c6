import type { IncomingMessage } from 'node:http';
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';

const LOOPBACK = /^(::1|(::ffff:)?127\..*)$/;

/**
 * Lets through what comes from this machine and from a page of this sample: others may look on,
 * where HOST lets them in, and a page of another site that is open in the same browser must not be
 * able to kill anything either.
 */
@Injectable()
export class FromHereGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { socket, headers } = context.switchToHttp().getRequest<IncomingMessage>();
    const site = headers['sec-fetch-site'] ?? 'same-origin';
    return LOOPBACK.test(socket.remoteAddress ?? '') && site === 'same-origin';
  }
}
