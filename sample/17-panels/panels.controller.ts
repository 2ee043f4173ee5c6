import { Body, Controller, Post } from '@nestjs/common';
import {
  Broadcaster,
  SseStream,
  type Authorize,
  type RoomsChange,
  type RoomsInForce,
} from 'nestjs-eventstream';
import { MACHINES, READERS } from './events.js';

const ROOMS: readonly string[] = [READERS, ...MACHINES];
const authorize: Authorize = (_connection, rooms) => rooms.every((room) => ROOMS.includes(room));

@Controller('panels')
export class PanelsController {
  constructor(private readonly broadcaster: Broadcaster) {}

  /** One stream for all panels of all tabs: who reads, and the machines that are joined later. */
  @SseStream()
  read() {
    return this.broadcaster.stream(READERS, { changeable: true, authorize });
  }

  /** A panel is opened or closed. */
  @Post()
  change(@Body() change: RoomsChange): Promise<RoomsInForce> {
    return this.broadcaster.changeRooms(change);
  }
}
