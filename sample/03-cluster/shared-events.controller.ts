import { Controller, HttpCode, Param, Post } from '@nestjs/common';
import { Connection, SseConnection, SseConnections, SseStream } from 'nestjs-eventstream';
import { map, merge, startWith } from 'rxjs';
import { drop } from '../02-orders/drop.js';
import { ClusterService } from './cluster.service.js';
import { sharedOrders } from './events.js';
import { SharedOrdersService } from './shared-orders.service.js';

/** As in `02-orders`, and on each stream what the panel shows. */
@Controller()
export class SharedEventsController {
  constructor(
    private readonly connections: SseConnections,
    private readonly orders: SharedOrdersService,
    private readonly cluster: ClusterService,
  ) {
    cluster.drops$.subscribe((id) => drop(connections, id));
  }

  @SseStream(sharedOrders)
  events(@Connection() { id }: SseConnection) {
    const data = { connection: id, place: this.cluster.name, revision: this.orders.revision };
    const orders$ = this.orders.stream().pipe(startWith({ type: 'connected', data } as const));
    const state$ = this.cluster.state$.pipe(
      map((state) => ({ type: 'cluster', data: state }) as const),
    );
    return merge(orders$, state$);
  }

  /** The request may have come to another process than the connection. */
  @Post('connections/:id/drop')
  @HttpCode(204)
  drop(@Param('id') id: string): void {
    if (!drop(this.connections, id)) this.cluster.tell({ dropElsewhere: id });
  }
}
