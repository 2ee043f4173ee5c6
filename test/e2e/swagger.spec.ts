import { beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, RequestMethod } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiProperty, DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { OpenAPIObject } from '@nestjs/swagger';
import { Validator } from '@seriousme/openapi-schema-validator';
import { NEVER, of } from 'rxjs';
import { SseStream } from 'nestjs-eventstream';
import { SseInspectorModule } from 'nestjs-eventstream/inspector';
import { ApiSseStream, withSseStreams } from 'nestjs-eventstream/swagger';
import { compileClient } from '../support/generated-client.js';
import { serve } from '../support/serve.js';

class PriceDto {
  @ApiProperty({ description: 'As at the exchange.', example: 'ACME' }) symbol!: string;
  @ApiProperty({ nullable: true, type: Number }) value!: number | null;
  @ApiProperty({ required: false }) currency?: string;
}

class HaltDto {
  @ApiProperty() reason!: string;
}

@Controller()
class Streams {
  @ApiSseStream({
    description: 'Prices as they are made.',
    events: { price: PriceDto, prices: [PriceDto], halt: HaltDto, note: String },
  })
  @SseStream('prices')
  prices() {
    return NEVER;
  }

  @ApiSseStream({ type: Number, lastEventIdQuery: true })
  @SseStream('ticks', { method: RequestMethod.POST, onComplete: 'close', rejectWith: 'status' })
  ticks() {
    return of(1);
  }

  @ApiSseStream()
  @SseStream('anything')
  anything() {
    return NEVER;
  }

  @ApiSseStream({ onComplete: 'close', rejectWith: 'status' })
  @SseStream('as-the-module-says')
  asTheModuleSays() {
    return NEVER;
  }

  @Get('plain') plain() {
    return 1;
  }

  @ApiExcludeEndpoint()
  @SseStream('hidden')
  hidden() {
    return NEVER;
  }
}

const VERSIONS = ['3.0.0', '3.1.0', '3.2.0'] as const;
const documents = new Map<string, OpenAPIObject>();
/** As `SwaggerModule` made it. */
let plain: OpenAPIObject;

beforeAll(async () => {
  const app = await serve(Streams);
  for (const version of VERSIONS) {
    const config = new DocumentBuilder().setTitle('Prices').setOpenAPIVersion(version).build();
    plain = SwaggerModule.createDocument(app.nest, config);
    documents.set(version, withSseStreams(plain));
  }
  await app.close();
});

function contentOf(version: string, path: string, method: 'get' | 'post' = 'get'): unknown {
  const { responses } = documents.get(version)!.paths[path]![method]!;
  return (responses['200'] as { content: Record<string, unknown> }).content['text/event-stream'];
}

const price = { $ref: '#/components/schemas/PriceDto' };
const id = { type: 'string', description: 'Send the last id as `Last-Event-ID` to resume.' };
const retry = {
  type: 'integer',
  minimum: 0,
  description: 'The reconnection time in milliseconds.',
};
const frame = (type: string, data: object) => ({
  type: 'object',
  required: ['event', 'data'],
  properties: { event: { type: 'string', enum: [type] }, id, retry, data },
});
const ownFrame = (data: object) => ({
  type: 'object',
  description:
    'Control events of the stream: `sse-gap` (missed events that cannot be replayed), `sse-error` and `sse-end`.',
  required: ['event', 'data'],
  properties: {
    event: { type: 'string', enum: ['sse-gap', 'sse-error', 'sse-end'] },
    id,
    retry,
    data,
  },
});
const json = (contentSchema: object) => ({
  type: 'string',
  contentMediaType: 'application/json',
  contentSchema,
});
const schemaOf = (data: (schema: object) => object) => ({
  oneOf: [
    frame('price', data(price)),
    frame('prices', data({ type: 'array', items: price })),
    frame('halt', data({ $ref: '#/components/schemas/HaltDto' })),
    frame('note', { type: 'string' }),
    ownFrame(data({ type: 'object', additionalProperties: true })),
  ],
});
const lastEventId = {
  name: 'Last-Event-ID',
  in: 'header',
  required: false,
  description: 'The id of the last event that the client received. The stream resumes after it.',
  schema: { type: 'string', example: '1.Kx3vQ9aZ.hevbmk8e80' },
};

describe('a documented stream', () => {
  // feature: 83, 85
  it('has its events, the header of a client that returns, and nothing that does not apply', () => {
    expect(documents.get('3.0.0')!.paths['/prices']!.get).toEqual({
      operationId: 'Streams_prices',
      tags: ['Streams'],
      parameters: [lastEventId],
      responses: {
        '200': {
          description: 'Prices as they are made.',
          content: { 'text/event-stream': { schema: schemaOf((schema) => schema) } },
        },
      },
    });
  });

  // feature: 85
  it('registers the payloads, and no primitives', () => {
    for (const version of VERSIONS) {
      expect(Object.keys(documents.get(version)!.components!.schemas!).sort()).toEqual([
        'HaltDto',
        'PriceDto',
      ]);
    }
  });

  // feature: 85
  it('has what the payloads say of themselves: descriptions, examples, what is required', () => {
    for (const version of VERSIONS) {
      expect(documents.get(version)!.components!.schemas!['PriceDto']).toMatchObject({
        required: ['symbol', 'value'],
        properties: {
          symbol: { type: 'string', description: 'As at the exchange.', example: 'ACME' },
          currency: { type: 'string' },
        },
      });
    }
  });

  // feature: 84
  it('says in 3.1 that the data is text which holds JSON', () => {
    expect(contentOf('3.1.0', '/prices')).toEqual({ schema: schemaOf(json) });
  });

  // feature: 84
  it('says in 3.2 that the schema is that of one event of many', () => {
    expect(contentOf('3.2.0', '/prices')).toEqual({ itemSchema: schemaOf(json) });
  });

  it('has what the options of `@SseStream()` lead to', () => {
    const headers = {
      'Retry-After': {
        description: 'Seconds until the client may try again.',
        schema: { type: 'integer', minimum: 0 },
      },
    };
    const data = { type: 'number' };
    const message = {
      type: 'object',
      required: ['data'],
      properties: { event: { type: 'string', enum: ['message'] }, id, retry, data },
    };
    const own = ownFrame({ type: 'object', additionalProperties: true });
    const { parameters, responses } = documents.get('3.0.0')!.paths['/ticks']!.post!;
    expect(parameters).toEqual([
      lastEventId,
      {
        name: 'lastEventId',
        in: 'query',
        required: false,
        description: 'The same as the header `Last-Event-ID`, for clients that cannot set headers.',
        schema: { type: 'string', example: '1.Kx3vQ9aZ.hevbmk8e80' },
      },
    ]);
    expect(responses).toEqual({
      '200': {
        description: 'A stream of server-sent events.',
        content: { 'text/event-stream': { schema: { oneOf: [message, own] } } },
      },
      '204': { description: 'The stream has ended; do not reconnect.' },
      '429': {
        description: 'This client has too many open streams, or opens them too often.',
        headers,
      },
      '503': { description: 'The stream is temporarily unavailable.', headers },
    });
  });

  it('has what it is told of the options of the module', () => {
    const { responses } = documents.get('3.0.0')!.paths['/as-the-module-says']!.get!;
    expect(Object.keys(responses)).toEqual(['200', '204', '429', '503']);
  });

  it('is any event where nothing is said', () => {
    const schema = {
      type: 'object',
      required: ['data'],
      properties: { event: { type: 'string' }, id, retry, data: { type: 'string' } },
    };
    expect(contentOf('3.0.0', '/anything')).toEqual({ schema });
    expect(contentOf('3.2.0', '/anything')).toEqual({ itemSchema: schema });
  });
});

describe('a document', () => {
  it('has nothing of the inspector', async () => {
    const guard = { canActivate: () => true };
    const imports = [SseInspectorModule.forRoot({ guard })];
    const { nest } = await serve(Streams, { module: { imports } });
    const { paths } = SwaggerModule.createDocument(nest, new DocumentBuilder().build());
    expect(Object.keys(paths)).toContain('/prices');
    expect(JSON.stringify(Object.keys(paths))).not.toContain('inspector');
  });

  // feature: 84
  it.each(VERSIONS)('of OpenAPI %s is valid', async (version) => {
    const validator = new Validator();
    const document = JSON.parse(JSON.stringify(documents.get(version))) as Record<string, unknown>;
    expect(await validator.validate(document)).toEqual({ valid: true });
    expect(validator.version).toBe(version.slice(0, 3));
  });

  it('has in 3.0 nothing of later versions, which would not be valid there', async () => {
    const document = { ...documents.get('3.1.0'), openapi: '3.0.0' };
    expect(await new Validator().validate(document)).toMatchObject({ valid: false });
  });

  it('stays as it was: what is converted is a copy, and a second time changes nothing', () => {
    const before = JSON.stringify(plain);
    const converted = withSseStreams(plain);
    expect(JSON.stringify(plain)).toBe(before);
    expect(withSseStreams(converted)).toEqual(converted);
    expect(converted.paths['/plain']).toEqual(plain.paths['/plain']);
  });

  it('keeps a stream that somebody else has described in another way', () => {
    const content = { 'text/event-stream': { schema: { type: 'string' } } };
    const other = { ...plain, paths: { '/': { get: { responses: { '200': { content } } } } } };
    expect(withSseStreams(other as never)).toEqual(other);
  });
});

describe('a client generated from the document', () => {
  // feature: 86
  it('knows the data of each event', async () => {
    const client = (member: string) => `
      import { connect } from 'nestjs-eventstream/client';
      import type { paths } from './generated-api.js';

      type Answers = paths['/prices']['get']['responses'];
      type Frame = Answers[200]['content']['text/event-stream'];
      type Events = { [F in Frame as F['event']]: F['data'] };

      for await (const event of connect<Events>('https://example.org/prices')) {
        if (event.type === 'price') console.log(event.data.${member});
        if (event.type === 'prices') console.log(event.data[0]?.symbol);
        if (event.type === 'note') console.log(event.data.length);
      }`;
    const document = documents.get('3.0.0')!;
    expect(await compileClient(document, client('value?.toFixed(2)'))).toEqual([]);
    expect(await compileClient(document, client('volume'))).toEqual([
      expect.stringContaining("'volume' does not exist"),
    ]);
  }, 60_000);

  it('knows the classes where data is text', async () => {
    const client = `
      import type { components, paths } from './generated-api.js';

      type Frame = paths['/prices']['get']['responses'][200]['content']['text/event-stream'];
      export function priceOf(frame: Frame): components['schemas']['PriceDto'] | undefined {
        return frame.event === 'price' ? JSON.parse(frame.data) : undefined;
      }`;
    expect(await compileClient(documents.get('3.1.0')!, client)).toEqual([]);
  }, 60_000);
});

describe('`@ApiSseStream()`', () => {
  it('refuses a place where it cannot see the stream', () => {
    expect(() => {
      class Below {
        @SseStream() @ApiSseStream() prices() {
          return NEVER;
        }
      }
      return Below;
    }).toThrow('prices: write `@ApiSseStream()` above `@SseStream()`');
  });

  it('refuses two payloads for events without a type', () => {
    expect(() => {
      class Twice {
        @ApiSseStream({ type: PriceDto, events: { message: HaltDto } })
        @SseStream()
        prices() {
          return NEVER;
        }
      }
      return Twice;
    }).toThrow(
      'type: expected undefined, because `events.message` is set and means the same, got ',
    );
  });

  it.each([Date, Object, [Date]])('refuses %p, which JSON has otherwise', (payload) => {
    expect(() => {
      class Wrong {
        @ApiSseStream({ events: { at: payload as never } })
        @SseStream()
        prices() {
          return NEVER;
        }
      }
      return Wrong;
    }).toThrow('events.at: expected a class of your app, String, Number or Boolean');
  });

  it.each([undefined, [undefined], { type: 'object' }])('refuses %j for a payload', (payload) => {
    expect(() => {
      class Wrong {
        @ApiSseStream({ events: { price: payload as never } })
        @SseStream()
        prices() {
          return NEVER;
        }
      }
      return Wrong;
    }).toThrow('events.price: expected a class, or an array of one, got ');
  });
});
