import type { IncomingMessage } from 'node:http';
import { Controller, HttpCode, NotFoundException, Param, Post, Query } from '@nestjs/common';
import {
  Broadcaster,
  Connection,
  SseConnection,
  SseConnections,
  SseStream,
  type SseMessage,
} from 'nestjs-eventstream';
import { startWith, type Observable } from 'rxjs';
import type { Connected, Room } from './events.js';
import { RoomsPipe } from './rooms.pipe.js';

@Controller()
export class DashboardController {
  constructor(
    private readonly broadcaster: Broadcaster,
    private readonly connections: SseConnections,
  ) {}

  /** `GET /events?rooms=cpu,memory`: the state of each room, and then its changes. */
  @SseStream('events')
  events(
    @Query('rooms', RoomsPipe) rooms: Room[],
    @Connection() { id }: SseConnection,
  ): Observable<SseMessage> {
    const connected: Connected = { at: Date.now(), connection: id };
    return this.broadcaster
      .stream(rooms)
      .pipe(startWith<SseMessage>({ type: 'connected', data: connected }));
  }

  /** Destroys the socket, as a broken network would. */
  @Post('connections/:id/drop')
  @HttpCode(204)
  drop(@Param('id') id: string): void {
    const connection = this.connections.find((one) => one.id === id);
    if (connection === undefined) throw new NotFoundException(`There is no connection ${id}`);
    (connection.request as IncomingMessage).socket.destroy();
  }
}
