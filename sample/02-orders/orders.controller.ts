import {
  Body,
  Controller,
  Get,
  HttpCode,
  Param,
  ParseIntPipe,
  Post,
  StandardSchemaValidationPipe,
} from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import {
  NewOrderSchema,
  OrderSchema,
  RevisionSchema,
  ShopSchema,
  type NewOrder,
  type Revision,
} from './events.js';
import { OrdersService } from './orders.service.js';

/** The schemas of the contract check the body of a request, and describe it in the document. */
const newOrder = { schema: NewOrderSchema, pipes: [StandardSchemaValidationPipe] };

@Controller()
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  /** For the page while its stream is closed: how many changes it misses. */
  @ApiOkResponse({ standardSchema: RevisionSchema })
  @Get('revision')
  revision(): Revision {
    return { revision: this.orders.revision };
  }

  @ApiCreatedResponse({ standardSchema: OrderSchema })
  @Post('orders')
  place(@Body(newOrder) order: NewOrder) {
    return this.orders.place(order);
  }

  @ApiOkResponse({ standardSchema: OrderSchema })
  @Post('orders/:no/next')
  @HttpCode(200)
  advance(@Param('no', ParseIntPipe) no: number) {
    return this.orders.advance(no);
  }

  @ApiOkResponse({ standardSchema: ShopSchema })
  @Post('shop/pause')
  @HttpCode(200)
  pause() {
    return this.orders.setOpen(false);
  }

  @ApiOkResponse({ standardSchema: ShopSchema })
  @Post('shop/resume')
  @HttpCode(200)
  resume() {
    return this.orders.setOpen(true);
  }
}
