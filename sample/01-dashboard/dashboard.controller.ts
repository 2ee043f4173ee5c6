import { Controller, Query } from '@nestjs/common';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import type { DashboardEvents, Room } from './events.js';
import { RoomsPipe } from './rooms.pipe.js';

@Controller()
export class DashboardController {
  constructor(private readonly broadcaster: Broadcaster<DashboardEvents>) {}

  /** `GET /events?rooms=cpu,memory` */
  @SseStream('events')
  events(@Query('rooms', RoomsPipe) rooms: Room[]) {
    return this.broadcaster.stream(rooms);
  }
}
