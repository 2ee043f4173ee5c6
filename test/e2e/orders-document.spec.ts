import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { OpenAPIObject } from '@nestjs/swagger';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { AppModule } from '../../sample/02-orders/app.module.js';
import { serveDocument } from '../../sample/02-orders/document.js';
import { orders } from '../../sample/02-orders/events.js';
import { OrdersService } from '../../sample/02-orders/orders.service.js';
import { servePage } from '../../sample/02-orders/page.js';
import { compileClient } from '../support/generated-client.js';
import type { TestEvent } from 'nestjs-eventstream/testing';
import { streamClient } from '../support/stream-client.js';

interface Frame {
  properties: { event: { enum: string[] } };
}

const SCHEMA = '/paths/~1events/get/responses/200/content/text~1event-stream/schema';

describe('the document of the orders', () => {
  let app: NestExpressApplication;
  let url: string;
  let document: OpenAPIObject;

  beforeAll(async () => {
    app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ['error'] });
    servePage(app);
    serveDocument(app);
    await app.listen(0, 'localhost');
    url = `http://localhost:${(app.getHttpServer().address() as AddressInfo).port}`;
    document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenAPIObject;
    // From here on nothing happens but what the test does.
    await app.get(OrdersService).setOpen(false);
  });

  afterAll(() => app.close());

  it('is valid', async () => {
    const copy = structuredClone(document) as object;
    expect(await new Validator().validate(copy as Record<string, unknown>)).toEqual({
      valid: true,
    });
  });

  it('has the events of the server and the page, and those of the library', () => {
    const { responses } = document.paths['/events']!.get!;
    const { content } = responses['200'] as { content: Record<string, { schema: unknown }> };
    const { oneOf } = content['text/event-stream']!.schema as { oneOf: Frame[] };
    const types = oneOf.flatMap(({ properties }) => properties.event.enum);
    expect(types).toEqual([...Object.keys(orders.events), 'sse-gap', 'sse-error', 'sse-end']);
  });

  it('is true: each event that comes is as it says, and has nothing else', async () => {
    const isDescribed = validatorOf(document);
    const service = app.get(OrdersService);
    const stream = streamClient({ url: `${url}/events?lastEventId=unknown` });
    const first = await stream.take(3);
    const { no } = await service.place({ item: 'Mug', amount: 1 });
    await service.advance(no);
    await service.setOpen(false);
    const frames = [...first, ...(await stream.take(3))].map(asDescribed);
    stream.close();
    expect(frames.map(({ event }) => event)).toEqual([
      'connected',
      'sse-gap',
      'orders',
      'created',
      'changed',
      'shop',
    ]);
    for (const frame of frames) expect([frame, isDescribed(frame)]).toEqual([frame, true]);

    const [, , , created] = frames;
    expect(isDescribed({ ...created, event: 'deleted' })).toBe(false);
    expect(isDescribed({ ...created, event: 'shop' })).toBe(false);
    expect(isDescribed({ ...created, data: { no } })).toBe(false);
    for (const { event, data } of frames.filter(({ event: type }) => type in orders.events)) {
      expect(isDescribed({ event, data: { ...(data as object), more: 1 } })).toBe(false);
    }
  });

  // feature: 86
  it('makes a client that knows each event, and no other', async () => {
    const client = (type: string, member: string) => `
      import { connect } from 'nestjs-eventstream/client';
      import type { paths } from './generated-api.js';

      type Answers = paths['/events']['get']['responses'];
      type Frame = Answers[200]['content']['text/event-stream'];
      type Events = { [F in Frame as F['event']]: F['data'] };

      const stream = connect<Events>('/events');
      stream.on('orders', ({ data }) => data.orders[0]?.item.trim());
      stream.on('shop', ({ data }) => !data.isOpen);
      stream.on('${type}', ({ data }) => data.${member});`;
    expect(await compileClient(document, client('created', "status === 'placed'"))).toEqual([]);
    for (const wrong of [client('deleted', 'no'), client('created', 'isOpen')]) {
      expect(await compileClient(document, wrong)).not.toEqual([]);
    }
  }, 60_000);
});

/** An event as 3.0 describes it: with what the text of its data means. */
function asDescribed({ type: event, id, data }: TestEvent) {
  return { event, ...(id !== undefined && { id }), data };
}

function validatorOf(document: OpenAPIObject): (frame: unknown) => boolean {
  const ajv = new Ajv({ strict: false }).addSchema(document, 'document');
  const validate = ajv.compile({ $ref: `document#${SCHEMA}` });
  return (frame) => validate(frame);
}
