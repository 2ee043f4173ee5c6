import type { IncomingMessage } from 'node:http';
import {
  Body,
  Controller,
  HttpCode,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
} from '@nestjs/common';
import {
  Broadcaster,
  Connection,
  SseConnection,
  SseConnections,
  SseStream,
} from 'nestjs-eventstream';
import { startWith } from 'rxjs';
import { ROOM, type Connected, type NewOrder, type OrderEvents } from './events.js';
import { NewOrderPipe } from './new-order.pipe.js';
import { OrdersService } from './orders.service.js';

@Controller()
export class OrdersController {
  constructor(
    private readonly broadcaster: Broadcaster<OrderEvents>,
    private readonly connections: SseConnections,
    private readonly orders: OrdersService,
  ) {}

  /** Who is new gets the whole list and then its changes; who returns gets the changes that it missed. */
  @SseStream('events')
  events(@Connection() { id }: SseConnection) {
    const connected: Connected = { connection: id, revision: this.orders.revision };
    return this.broadcaster
      .stream(ROOM, {
        snapshot: async (reason) => [{ type: 'orders', data: await this.orders.snapshot(reason) }],
      })
      .pipe(startWith({ type: 'connected', data: connected }));
  }

  @Post('orders')
  place(@Body(NewOrderPipe) order: NewOrder) {
    return this.orders.place(order);
  }

  @Post('orders/:no/next')
  @HttpCode(200)
  advance(@Param('no', ParseIntPipe) no: number) {
    return this.orders.advance(no);
  }

  @Post('shop/pause')
  @HttpCode(200)
  pause() {
    return this.orders.setOpen(false);
  }

  @Post('shop/resume')
  @HttpCode(200)
  resume() {
    return this.orders.setOpen(true);
  }

  /** Cuts a client off in the middle, without an end of the response, as a network does. */
  @Post('connections/:id/drop')
  @HttpCode(204)
  drop(@Param('id') id: string): void {
    const connection = this.connections.find((one) => one.id === id);
    if (connection === undefined) throw new NotFoundException(`There is no connection ${id}`);
    (connection.request as IncomingMessage).socket.destroy();
  }
}
