import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import type { NewOrder } from './events.js';

const MAX_ITEM_LENGTH = 80;
const MAX_AMOUNT = 99;

/** The body of a request as an order, and nothing else that may be in it. */
@Injectable()
export class NewOrderPipe implements PipeTransform<unknown, NewOrder> {
  transform(body: unknown): NewOrder {
    const { item, amount } = Object(body) as Record<string, unknown>;
    if (typeof item !== 'string' || item === '' || item.length > MAX_ITEM_LENGTH) {
      throw new BadRequestException(`item: expected a text of 1 to ${MAX_ITEM_LENGTH} characters`);
    }
    if (!Number.isInteger(amount) || Number(amount) < 1 || Number(amount) > MAX_AMOUNT) {
      throw new BadRequestException(`amount: expected an integer from 1 to ${MAX_AMOUNT}`);
    }
    return { item, amount: Number(amount) };
  }
}
