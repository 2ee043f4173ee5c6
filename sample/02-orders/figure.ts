import type { NestExpressApplication } from '@nestjs/platform-express';
import { OrdersService } from './orders.service.js';

/** For the list of all samples. */
export function figure(app: NestExpressApplication): string {
  const orders = app.get(OrdersService, { strict: false });
  return `${orders.list().length} orders, ${orders.revision} changes so far`;
}
