// The OpenAPI document of a contract: nothing but `@SseStream(contract)` describes the route.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, type Type } from '@nestjs/common';
import { ApiProperty, DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { Validator } from '@seriousme/openapi-schema-validator';
import { toStandardJsonSchema } from '@valibot/to-json-schema';
import { type } from 'arktype';
import { NEVER } from 'rxjs';
import * as v from 'valibot';
import { z } from 'zod';
import { SseStream } from 'nestjs-eventstream';
import { sseContract } from 'nestjs-eventstream/contract';
import { ApiSseStream, withSseStreams } from 'nestjs-eventstream/swagger';
import { compileClient } from '../support/generated-client.js';
import { serve } from '../support/serve.js';

const Address = z.object({ city: z.string() }).meta({ id: 'Address' });
const orders = sseContract({
  path: 'orders/:customer/events',
  query: z.object({
    since: z.iso.datetime().optional().describe('From when on.'),
    limit: z.coerce.number().int().min(1),
  }),
  events: {
    created: z.object({
      no: z.int(),
      total: z.number().gt(0),
      note: z.string().nullable(),
      unit: z.literal('EUR'),
      at: z.date().optional(),
      tag: z.string().default('none'),
      from: Address,
      to: Address.optional(),
    }),
    shipped: {
      schema: toStandardJsonSchema(v.object({ no: v.number(), at: v.nullable(v.string()) })),
      deprecated: 'use moved',
    },
    moved: {
      schema: type({ to: 'string | null', 'speed?': 'number > 0' }),
      since: '2.1',
      description: 'The parcel is elsewhere.',
    },
    raw: { schema: v.unknown(), jsonSchema: { type: ['integer', 'null'], examples: [1] } },
  },
});

class OrderDto {
  @ApiProperty() no!: number;
}

@Controller('shop')
class Routes {
  @SseStream(orders) stream() {
    return NEVER;
  }

  @ApiSseStream({ description: 'Described by hand.', events: { created: OrderDto } })
  @SseStream(sseContract({ path: 'by-hand', events: { created: v.object({ no: v.number() }) } }))
  byHand() {
    return NEVER;
  }

  @ApiSseStream({ description: 'Only the description.' })
  @SseStream(sseContract({ path: 'both', events: { message: z.string() } }))
  both() {
    return NEVER;
  }
}

async function documentOf(version: string, controller: Type = Routes): Promise<OpenAPIObject> {
  let document: OpenAPIObject | undefined;
  await serve(controller, {
    setup: (app) => {
      app.setGlobalPrefix('api');
      const config = new DocumentBuilder().setOpenAPIVersion(version).build();
      // Before the app is initialized, as most apps do.
      document = withSseStreams(SwaggerModule.createDocument(app, config));
    },
  });
  return JSON.parse(JSON.stringify(document)) as OpenAPIObject;
}

const PATH = '/api/shop/orders/{customer}/events';
interface Media {
  schema?: { oneOf: unknown[] };
  itemSchema?: { oneOf: unknown[] };
}
const mediaOf = (document: OpenAPIObject, path = PATH): Media => {
  const { content } = document.paths[path]!.get!.responses['200'] as {
    content: Record<string, Media>;
  };
  return content['text/event-stream']!;
};

const ADDRESS = { type: 'object', required: ['city'], properties: { city: { type: 'string' } } };

describe('the document of a contract', () => {
  let document: OpenAPIObject;
  beforeAll(async () => {
    document = await documentOf('3.0.3');
  });

  it.each(['3.0.3', '3.1.0', '3.2.0'])('is valid in OpenAPI %s', async (version) => {
    const made = await documentOf(version);
    const { valid, errors } = await new Validator().validate(made as never);
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
  });

  it('has the events, as OpenAPI 3.0 writes them', () => {
    const [created, shipped, moved, raw, control] = mediaOf(document).schema!.oneOf;
    expect(created).toMatchObject({
      required: ['event', 'data'],
      properties: {
        event: { enum: ['created'] },
        data: {
          type: 'object',
          required: ['no', 'total', 'note', 'unit', 'tag', 'from'],
          properties: {
            no: { type: 'integer' },
            total: { type: 'number', minimum: 0, exclusiveMinimum: true },
            note: { type: 'string', nullable: true },
            unit: { type: 'string', enum: ['EUR'] },
            at: { type: 'string', format: 'date-time' },
            from: ADDRESS,
            to: ADDRESS,
          },
        },
      },
    });
    expect(shipped).toMatchObject({
      deprecated: true,
      description: 'Deprecated: use moved',
      properties: { data: { properties: { at: { type: 'string', nullable: true } } } },
    });
    expect(moved).toMatchObject({
      description: 'The parcel is elsewhere. Since 2.1.',
      properties: {
        data: {
          required: ['to'],
          properties: {
            to: { type: 'string', nullable: true },
            speed: { minimum: 0, exclusiveMinimum: true },
          },
        },
      },
    });
    expect(raw).toMatchObject({
      properties: { data: { type: 'integer', nullable: true, example: 1 } },
    });
    expect(control).toMatchObject({
      properties: { event: { enum: expect.arrayContaining(['sse-gap']) } },
    });
  });

  it('has the words of JSON Schema from OpenAPI 3.1 on, and itemSchema in 3.2', async () => {
    for (const version of ['3.1.0', '3.2.0']) {
      const media = mediaOf(await documentOf(version));
      const [created, shipped, moved] = (media.itemSchema ?? media.schema)!.oneOf;
      expect(media.itemSchema === undefined).toBe(version === '3.1.0');
      const data = (properties: object) => ({
        properties: {
          data: {
            type: 'string',
            contentMediaType: 'application/json',
            contentSchema: { properties },
          },
        },
      });
      expect(created).toMatchObject(
        data({ note: { type: ['string', 'null'] }, total: { exclusiveMinimum: 0 } }),
      );
      expect(shipped).toMatchObject(data({ at: { type: ['string', 'null'] } }));
      expect(moved).toMatchObject(data({ speed: { exclusiveMinimum: 0 } }));
    }
  });

  it('has the query and the path parameters', () => {
    const { parameters, responses } = document.paths[PATH]!.get!;
    expect(parameters).toEqual(
      expect.arrayContaining([
        { name: 'customer', in: 'path', required: true, schema: { type: 'string' } },
        expect.objectContaining({
          name: 'since',
          in: 'query',
          required: false,
          description: 'From when on.',
        }),
        expect.objectContaining({ name: 'limit', in: 'query', required: true }),
        expect.objectContaining({ name: 'Last-Event-ID', in: 'header' }),
      ]),
    );
    expect(responses['400']).toMatchObject({ description: expect.stringContaining('wrong') });
  });

  it('has properties that are named like keywords, tuples, and unions in the query', async () => {
    const schema = z.object({
      const: z.date(),
      default: z.string().nullable(),
      examples: z.number(),
      definitions: z.tuple([z.string(), z.number()]),
      type: z.base64(),
      anyOf: z.null(),
    });
    const query = z.union([
      z.object({ page: z.string(), size: z.string() }),
      z.object({ page: z.stringbool() }),
    ]);
    const pair = type(['string', 'number']);
    const named = sseContract({ path: 'named', query, events: { schema: { schema }, pair } });
    @Controller()
    class Named {
      @SseStream(named) stream() {
        return NEVER;
      }
    }
    for (const version of ['3.0.3', '3.2.0']) {
      const made = await documentOf(version, Named);
      const { errors } = await new Validator().validate(made as never);
      expect(errors ?? []).toEqual([]);
    }
    const made = await documentOf('3.0.3', Named);
    const [properties, tuple] = mediaOf(made, '/api/named').schema!.oneOf;
    expect(properties).toMatchObject({
      properties: {
        data: {
          properties: {
            const: { type: 'string', format: 'date-time' },
            default: { type: 'string', nullable: true },
            examples: { type: 'number' },
            definitions: { items: { anyOf: [{ type: 'string' }, { type: 'number' }] } },
            type: { type: 'string' },
            anyOf: { nullable: true },
          },
        },
      },
    });
    const items = { anyOf: [{ type: 'string' }, { type: 'number' }] };
    expect(tuple).toMatchObject({
      properties: { data: { type: 'array', minItems: 2, maxItems: 2, items } },
    });
    expect(made.paths['/api/named']!.get!.parameters).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'page', in: 'query', required: true }),
        expect.objectContaining({ name: 'size', in: 'query', required: false }),
      ]),
    );
  });

  it('keeps what a decorator says', () => {
    const responses = (path: string) => document.paths[path]!.get!.responses['200'];
    expect(responses('/api/shop/by-hand')).toMatchObject({ description: 'Described by hand.' });
    const [byHand] = mediaOf(document, '/api/shop/by-hand').schema!.oneOf;
    expect(byHand).toMatchObject({
      properties: { data: { $ref: '#/components/schemas/OrderDto' } },
    });
    expect(responses('/api/shop/both')).toMatchObject({ description: 'Only the description.' });
    const [both] = mediaOf(document, '/api/shop/both').schema!.oneOf;
    expect(both).toMatchObject({ properties: { data: { type: 'string' } } });
  });

  it('gives the types of the contract to openapi-typescript', async () => {
    const client = `
      import type { paths } from './generated-api.js';
      import type { ReceivedEventsOf, QueryOf } from 'nestjs-eventstream/contract';
      import { z } from 'zod';
      import { sseContract } from 'nestjs-eventstream/contract';
      const Address = z.object({ city: z.string() });
      const orders = sseContract({ path: 'orders/:customer/events', events: {
        created: z.object({ no: z.int(), total: z.number(), note: z.string().nullable(),
          unit: z.literal('EUR'), at: z.date().optional(), tag: z.string(), from: Address, to: Address.optional() }),
        shipped: z.object({ no: z.number(), at: z.string().nullable() }),
        moved: z.object({ to: z.string().nullable(), speed: z.number().optional() }),
        raw: z.number().nullable(),
      } });
      type Route = paths['${PATH}']['get'];
      type Frame = Route['responses'][200]['content']['text/event-stream'];
      type Data<Type> = Extract<Frame, { event: Type }>['data'];
      type Equal<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
      type Events = ReceivedEventsOf<typeof orders>;
      export const same: [
        Equal<Data<'created'>, Events['created']>, Equal<Data<'shipped'>, Events['shipped']>,
        Equal<Data<'moved'>, Events['moved']>, Equal<Data<'raw'>, Events['raw']>,
        Equal<Route['parameters']['path'], { customer: string }>,
      ] = [true, true, true, true, true];
      // @ts-expect-error another type
      export const other: Equal<Data<'created'>, Events['shipped']> = true;
    `;
    expect(await compileClient(document, client)).toEqual([]);
  });

  it('refuses a schema without JSON Schema, at start-up', async () => {
    @Controller()
    class Undescribed {
      @SseStream(sseContract({ path: 'a', events: { message: v.string() } })) stream() {
        return NEVER;
      }
    }
    await expect(serve(Undescribed)).rejects.toThrow(
      'contract "a", event "message": this schema of valibot has no JSON Schema for the document; use a version',
    );
    @Controller()
    class Unwritable {
      @SseStream(sseContract({ path: 'b', events: { message: z.object({ no: z.bigint() }) } }))
      stream() {
        return NEVER;
      }
    }
    await expect(serve(Unwritable)).rejects.toThrow(
      'contract "b", event "message": zod could not write the JSON Schema for the document: JSON Schema has no bigint; use',
    );
    @Controller()
    class Referring {
      @SseStream(
        sseContract({
          path: 'd',
          events: { message: { schema: z.string(), jsonSchema: { $ref: '#/$defs/Text' } } },
        }),
      )
      stream() {
        return NEVER;
      }
    }
    await expect(serve(Referring)).rejects.toThrow(
      'contract "d", event "message", jsonSchema: the reference #/$defs/Text leads elsewhere',
    );
    interface Tree {
      children: Tree[];
    }
    const Tree: z.ZodType<Tree> = z.object({ children: z.array(z.lazy(() => Tree)) });
    @Controller()
    class Recursive {
      @SseStream(sseContract({ path: 'c', events: { message: Tree } })) stream() {
        return NEVER;
      }
    }
    await expect(serve(Recursive)).rejects.toThrow('the schema contains itself (#');
  });
});
