import { Controller, HttpCode, NotFoundException, Param, Post } from '@nestjs/common';
import { Connection, SseConnection, SseConnections, SseStream } from 'nestjs-eventstream';
import { startWith } from 'rxjs';
import { drop } from './drop.js';
import { orders } from './events.js';
import { OrdersService } from './orders.service.js';

@Controller()
export class EventsController {
  constructor(
    private readonly connections: SseConnections,
    private readonly service: OrdersService,
  ) {}

  @SseStream(orders)
  events(@Connection() { id }: SseConnection) {
    const data = { connection: id, revision: this.service.revision };
    return this.service.stream().pipe(startWith({ type: 'connected', data } as const));
  }

  /** Cuts a client off in the middle, without an end of the response, as a network does. */
  @Post('connections/:id/drop')
  @HttpCode(204)
  drop(@Param('id') id: string): void {
    if (drop(this.connections, id)) return;
    throw new NotFoundException(`There is no connection ${id}`);
  }
}
