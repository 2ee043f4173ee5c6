import { Body, Controller, Param, Post } from '@nestjs/common';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { OneOfPipe } from '../shared/one-of.pipe.js';
import { TextPipe } from '../shared/text.pipe.js';

/** In a real app a guard says who the user is; see the guide on authentication. */
const USERS = ['ann', 'ben'] as const;
const EVERYBODY = 'everybody';
/** Not `error`: a browser calls the handler for a lost connection by that name. */
const TYPES = ['info', 'warning', 'alert'] as const;

@Controller('notifications')
export class NotificationsController {
  constructor(private readonly broadcaster: Broadcaster) {}

  /** Two rooms: one's own, and that of everybody. */
  @SseStream(':user')
  stream(@Param('user', new OneOfPipe('user', USERS)) user: string) {
    return this.broadcaster.stream([user, EVERYBODY], { rewind: 4 });
  }

  @Post(':to')
  async send(
    @Param('to', new OneOfPipe('to', [...USERS, EVERYBODY])) to: string,
    @Body('type', new OneOfPipe('type', TYPES)) type: (typeof TYPES)[number],
    @Body('message', new TextPipe('message', 200)) message: string,
  ): Promise<{ id: string }> {
    const notification = { type, data: { message } };
    // Whoever has an alert comes back sooner when the connection is lost. The comment is for people
    // with curl.
    const urgent = { ...notification, comment: 'urgent', retry: 1_000 };
    return { id: await this.broadcaster.publish(to, type === 'alert' ? urgent : notification) };
  }
}
