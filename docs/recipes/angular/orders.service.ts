import { Injectable } from '@angular/core';
import { toSignal } from '@angular/core/rxjs-interop';
import { filter, from, scan } from 'rxjs';
import { connect } from 'nestjs-eventstream/client';

interface OrderEvents {
  created: { no: number };
}

@Injectable({ providedIn: 'root' })
export class OrdersService {
  /** Opens with the first component that injects the service. */
  readonly orders = toSignal(
    from(connect<OrderEvents>('/orders')).pipe(
      filter((event) => event.type === 'created'),
      scan((all, { data }) => [...all, data.no], [] as readonly number[]),
    ),
    { initialValue: [] },
  );
}
