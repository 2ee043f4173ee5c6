import { Controller, HttpCode, Param, Post } from '@nestjs/common';
import {
  Broadcaster,
  Connection,
  SseConnection,
  SseConnections,
  SseStream,
  type SseMessage,
} from 'nestjs-eventstream';
import { map, merge, type Observable } from 'rxjs';
import type { Connected, OrderEvents } from '../02-orders/events.js';
import { OrdersController } from '../02-orders/orders.controller.js';
import { ClusterService } from './cluster.service.js';
import { SharedOrdersService } from './shared-orders.service.js';

/** As in `02-orders`, and on each stream what the panel shows. */
@Controller()
export class SharedOrdersController extends OrdersController {
  constructor(
    broadcaster: Broadcaster<OrderEvents>,
    connections: SseConnections,
    orders: SharedOrdersService,
    private readonly cluster: ClusterService,
  ) {
    super(broadcaster, connections, orders);
    cluster.drops$.subscribe((id) => this.dropHere(id));
  }

  @SseStream('events')
  override events(@Connection() connection: SseConnection): Observable<SseMessage> {
    const state$ = this.cluster.state$.pipe(map((data) => ({ type: 'cluster', data })));
    return merge(super.events(connection), state$);
  }

  /** The request may have come to another process than the connection. */
  @Post('connections/:id/drop')
  @HttpCode(204)
  override drop(@Param('id') id: string): void {
    if (!this.dropHere(id)) this.cluster.tell({ dropElsewhere: id });
  }

  protected override connected(connection: SseConnection): Connected {
    return Object.assign(super.connected(connection), { place: this.cluster.name });
  }
}
