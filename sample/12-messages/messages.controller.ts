import { Controller, HttpCode, Post } from '@nestjs/common';
import { LastEventId, SseConnections, SseStream, type SseMessage } from 'nestjs-eventstream';
import { map, take, timer, type Observable } from 'rxjs';
import { MESSAGES } from './messages.js';

@Controller('messages')
export class MessagesController {
  constructor(private readonly connections: SseConnections) {}

  /** One each second: from the first, or for a client that returns from the one after its last. */
  @SseStream('', { onComplete: 'close', retry: 1_000 })
  messages(@LastEventId() last?: string): Observable<SseMessage> {
    const rest = MESSAGES.slice(MESSAGES.findIndex(({ id }) => id === last) + 1);
    return timer(0, 1_000).pipe(
      take(rest.length),
      map((index) => rest[index]!),
    );
  }

  /** Ends every stream in the middle, as a restart of the server does. */
  @Post('interrupt')
  @HttpCode(204)
  interrupt(): void {
    this.connections.closeAll('interrupted');
  }
}
