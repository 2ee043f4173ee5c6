import {
  BadRequestException,
  Body,
  Controller,
  Headers,
  Post,
  UnauthorizedException,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { createHash, timingSafeEqual } from 'node:crypto';
import { Broadcaster } from 'nestjs-eventstream';

/** What may be published from outside, and to which room. */
const ROOMS = new Map([
  ['stock', 'warehouse'],
  ['offers', 'shop'],
]);

interface Request {
  headers: { authorization?: string };
}
const digest = (text: string) => createHash('sha256').update(text).digest();

class PublisherGuard implements CanActivate {
  canActivate(context: ExecutionContext) {
    const request = context.switchToHttp().getRequest<Request>();
    const secret = process.env['PUBLISH_SECRET'];
    const given = digest(request.headers.authorization ?? '');
    // Digests have one length, as timingSafeEqual() needs it.
    const expected = digest(`Bearer ${secret}`);
    if (secret && timingSafeEqual(given, expected)) return true;
    throw new UnauthorizedException();
  }
}

@Controller('publish')
@UseGuards(PublisherGuard)
export class PublishController {
  constructor(private readonly broadcaster: Broadcaster) {}

  @Post()
  async publish(
    @Body() { type, data }: { type: string; data: unknown },
    @Headers('idempotency-key') key?: string,
  ) {
    const room = ROOMS.get(type);
    if (room === undefined) throw new BadRequestException('unknown type');
    return { id: await this.broadcaster.to(room).emit(type, data, { key }) };
  }
}
