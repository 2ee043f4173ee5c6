import { Body, Controller, Param, Post, Query } from '@nestjs/common';
import {
  Broadcaster,
  SseStream,
  type Authorize,
  type RoomsChange,
  type RoomsInForce,
} from 'nestjs-eventstream';
import { OneOfPipe } from '../shared/one-of.pipe.js';
import { TextPipe } from '../shared/text.pipe.js';

const ROOMS = ['lobby', 'kitchen'] as const;
const authorize: Authorize = (_connection, rooms) =>
  rooms.every((room) => ROOMS.some((known) => known === room));
const KNOWN_ROOM = new OneOfPipe('room', ROOMS);
const NAME = new TextPipe('name', 30);

interface ChatEvents {
  said: { room: string; name: string; text: string; at: string };
}

@Controller('rooms')
export class ChatController {
  constructor(private readonly broadcaster: Broadcaster<ChatEvents>) {}

  /**
   * What is said in the room, and who is there. A new client gets the last of it, a returning
   * client what it missed. A real app takes the member from the authenticated request.
   */
  @SseStream(':room')
  listen(@Param('room', KNOWN_ROOM) room: string, @Query('name') name?: string) {
    const member = name ? () => ({ id: NAME.transform(name) }) : undefined;
    const presence = { member, watch: true };
    return this.broadcaster.stream(room, { rewind: 50, presence, changeable: true, authorize });
  }

  /** A client goes to another room, on the stream that it has. */
  @Post()
  move(@Body() change: RoomsChange): Promise<RoomsInForce> {
    return this.broadcaster.changeRooms(change);
  }

  /** A stream goes one way: what a client says comes in by a request. */
  @Post(':room')
  async say(
    @Param('room', KNOWN_ROOM) room: string,
    @Body('name', NAME) name: string,
    @Body('text', new TextPipe('text', 500)) text: string,
  ): Promise<{ id: string }> {
    const at = new Date().toISOString();
    return { id: await this.broadcaster.to(room).emit('said', { room, name, text, at }) };
  }
}
