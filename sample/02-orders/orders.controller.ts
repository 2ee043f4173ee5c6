import type { IncomingMessage } from 'node:http';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
} from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import {
  Broadcaster,
  Connection,
  SseConnection,
  SseConnections,
  SseStream,
  type SseMessage,
} from 'nestjs-eventstream';
import { ApiSseStream } from 'nestjs-eventstream/swagger';
import { startWith, type Observable } from 'rxjs';
import {
  Connected,
  NewOrder,
  Order,
  ORDER_EVENTS,
  Revision,
  ROOM,
  Shop,
  type OrderEvents,
  type OrderMessage,
} from './events.js';
import { NewOrderPipe } from './new-order.pipe.js';
import { OrdersService } from './orders.service.js';

@Controller()
export class OrdersController {
  constructor(
    protected readonly broadcaster: Broadcaster<OrderEvents>,
    protected readonly connections: SseConnections,
    protected readonly orders: OrdersService,
  ) {}

  /**
   * A new client gets the whole list and then its changes; a returning client gets the changes that
   * it missed.
   */
  @ApiSseStream({
    description: 'First the list, then its changes.',
    events: ORDER_EVENTS,
    lastEventIdQuery: true,
  })
  @SseStream('events')
  events(@Connection() connection: SseConnection): Observable<SseMessage> {
    return this.broadcaster
      .stream(ROOM, {
        snapshot: async (reason): Promise<OrderMessage[]> => [
          { type: 'orders', data: await this.orders.snapshot(reason) },
        ],
      })
      .pipe(startWith<OrderMessage>({ type: 'connected', data: this.connected(connection) }));
  }

  /** For the page while its stream is closed: how many changes it misses. */
  @ApiOkResponse({ type: Revision })
  @Get('revision')
  revision(): Revision {
    return { revision: this.orders.revision };
  }

  @ApiCreatedResponse({ type: Order })
  @Post('orders')
  place(@Body(NewOrderPipe) order: NewOrder) {
    return this.orders.place(order);
  }

  @ApiOkResponse({ type: Order })
  @Post('orders/:no/next')
  @HttpCode(200)
  advance(@Param('no', ParseIntPipe) no: number) {
    return this.orders.advance(no);
  }

  @ApiOkResponse({ type: Shop })
  @Post('shop/pause')
  @HttpCode(200)
  pause() {
    return this.orders.setOpen(false);
  }

  @ApiOkResponse({ type: Shop })
  @Post('shop/resume')
  @HttpCode(200)
  resume() {
    return this.orders.setOpen(true);
  }

  /** Cuts a client off in the middle, without an end of the response, as a network does. */
  @Post('connections/:id/drop')
  @HttpCode(204)
  drop(@Param('id') id: string): void {
    if (!this.dropHere(id)) throw new NotFoundException(`There is no connection ${id}`);
  }

  /** Answers whether this process has the connection. */
  protected dropHere(id: string): boolean {
    const connection = this.connections.find((one) => one.id === id);
    (connection?.request as IncomingMessage | undefined)?.socket.destroy();
    return connection !== undefined;
  }

  protected connected({ id }: SseConnection): Connected {
    return { connection: id, revision: this.orders.revision };
  }
}
