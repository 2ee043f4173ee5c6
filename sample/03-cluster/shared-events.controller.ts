import { Controller, HttpCode, Param, Post, Query } from '@nestjs/common';
import {
  Connection,
  SseConnection,
  SseConnections,
  SseStream,
  type PresenceMember,
} from 'nestjs-eventstream';
import type { QueryOf } from 'nestjs-eventstream/contract';
import { map, merge, startWith } from 'rxjs';
import { drop } from '../02-orders/drop.js';
import { ClusterService } from './cluster.service.js';
import { sharedOrders, type OpenTab } from './events.js';
import { SharedOrdersService } from './shared-orders.service.js';

/** A reload is neither a leave nor a join. */
const GRACE_MS = 2_000;

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
  events(@Connection() { id }: SseConnection, @Query() { tab }: QueryOf<typeof sharedOrders>) {
    const data = { connection: id, place: this.cluster.name, revision: this.orders.revision };
    const member = () => (tab === undefined ? undefined : this.memberOf(tab));
    const orders$ = this.orders
      .stream({ member, watch: true, graceMs: GRACE_MS })
      .pipe(startWith({ type: 'connected', data } as const));
    const state$ = this.cluster.state$.pipe(
      map((state) => ({ type: 'cluster', data: state }) as const),
    );
    return merge(orders$, state$);
  }

  /** One for each process that the tab comes to: the data of a member never changes. */
  private memberOf(name: string): PresenceMember {
    const data: OpenTab = { name, process: this.cluster.number, pid: process.pid };
    return { id: `${name} in ${process.pid}`, data };
  }

  /** The request may have come to another process than the connection. */
  @Post('connections/:id/drop')
  @HttpCode(204)
  drop(@Param('id') id: string): void {
    if (!drop(this.connections, id)) this.cluster.tell({ dropElsewhere: id });
  }
}
