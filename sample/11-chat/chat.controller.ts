import { Body, Controller, Param, Post } from '@nestjs/common';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { OneOfPipe } from '../shared/one-of.pipe.js';
import { TextPipe } from '../shared/text.pipe.js';

const ROOMS = ['lobby', 'kitchen'] as const;
const KNOWN_ROOM = new OneOfPipe('room', ROOMS);

interface ChatEvents {
  said: { name: string; text: string; at: string };
}

@Controller('rooms')
export class ChatController {
  constructor(private readonly broadcaster: Broadcaster<ChatEvents>) {}

  /**
   * What is said in the room; a new client gets the last of it, a returning client what it missed.
   */
  @SseStream(':room')
  listen(@Param('room', KNOWN_ROOM) room: string) {
    return this.broadcaster.stream(room, { rewind: 50 });
  }

  /** A stream goes one way: what a client says comes in by a request. */
  @Post(':room')
  async say(
    @Param('room', KNOWN_ROOM) room: string,
    @Body('name', new TextPipe('name', 30)) name: string,
    @Body('text', new TextPipe('text', 500)) text: string,
  ): Promise<{ id: string }> {
    const at = new Date().toISOString();
    return { id: await this.broadcaster.to(room).emit('said', { name, text, at }) };
  }
}
