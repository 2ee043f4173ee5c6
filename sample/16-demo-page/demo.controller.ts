import { Body, Controller, Post } from '@nestjs/common';
import { Broadcaster, SseStream, type SseMessage } from 'nestjs-eventstream';
import { map, merge, timer, type Observable } from 'rxjs';
import { TextPipe } from '../shared/text.pipe.js';

const ROOM = 'demo';

@Controller()
export class DemoController {
  constructor(private readonly broadcaster: Broadcaster) {}

  /**
   * A message every two seconds, each fifth of them a `notification`; between them the updates that
   * somebody posts.
   */
  @SseStream('events')
  events(): Observable<SseMessage> {
    const messages = timer(0, 2_000).pipe(map((n) => messageOf(n + 1)));
    return merge(messages, this.broadcaster.stream(ROOM));
  }

  @Post('updates')
  async update(@Body('text', new TextPipe('text', 200)) text: string): Promise<{ id: string }> {
    const time = new Date().toISOString();
    return { id: await this.broadcaster.to(ROOM).emit('update', { time, text }) };
  }
}

function messageOf(count: number): SseMessage {
  const time = new Date().toISOString();
  if (count % 5 > 0) return { data: { count, time, text: 'All is well' } };
  return { type: 'notification', data: { count, time, text: 'Time for a break' } };
}
