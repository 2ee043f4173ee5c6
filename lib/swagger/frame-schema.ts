import type { Type } from '@nestjs/common';
import { getSchemaPath, type OpenAPIObject } from '@nestjs/swagger';
import { SseOptionsError } from '../ground/errors.js';

/**
 * What an event carries: a class whose properties are known to `@nestjs/swagger`, or `String`,
 * `Number` or `Boolean`; or an array of one, as `[OrderDto]`.
 * @publicApi
 */
export type SsePayload = Type<unknown> | readonly [Type<unknown>];

interface Reference {
  $ref: string;
}

type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;
export type Schema = Exclude<Schemas[string], Reference>;

const PRIMITIVES = new Map<unknown, Schema>([
  [String, { type: 'string' }],
  [Number, { type: 'number' }],
  [Boolean, { type: 'boolean' }],
]);

/** JSON makes something else of them, or nothing is known of what they have. */
const NO_MODELS = new Set<unknown>([Date, Object, Array, Map, Set, Promise, Buffer]);

/** What the library itself tells on a stream. */
const OWN_FRAME = frameSchema(
  { type: 'string', enum: ['sse-gap', 'sse-error', 'sse-end'] },
  { type: 'object', additionalProperties: true },
  'Of the stream itself: missed events that cannot be replayed, an error, the end.',
);

/**
 * One event of a stream, whose type decides what it carries. Like every document that
 * `@nestjs/swagger` makes it is in the dialect of OpenAPI 3.0, which has no word for text that
 * holds JSON: `data` is what it means.
 */
export function eventSchema(events: Readonly<Record<string, SsePayload>>): Schema {
  const frames = Object.entries(events).map(([type, payload]) =>
    frameSchema({ type: 'string', enum: [type] }, dataSchema(type, payload)),
  );
  if (frames.length === 0) return frameSchema({ type: 'string' }, { type: 'string' });
  return { oneOf: [...frames, OWN_FRAME] };
}

/** The classes that the document has to describe. */
export function modelsOf(events: Readonly<Record<string, SsePayload>>): Type<unknown>[] {
  return Object.values(events)
    .map(itemOf)
    .filter((model) => !PRIMITIVES.has(model));
}

/** `message` is the type of an event that names none. */
function frameSchema(event: Schema, data: Schema | Reference, description?: string): Schema {
  const isNamed = event.enum !== undefined && !event.enum.includes('message');
  return {
    type: 'object',
    ...(description === undefined ? {} : { description }),
    required: isNamed ? ['event', 'data'] : ['data'],
    properties: {
      event,
      id: { type: 'string' },
      retry: { type: 'integer', minimum: 0, description: 'Milliseconds.' },
      data,
    },
  };
}

function dataSchema(type: string, payload: SsePayload): Schema | Reference {
  const item = itemOf(payload);
  // A cycle of imports makes a class `undefined`.
  if (typeof item !== 'function') {
    throw new SseOptionsError(`events.${type}`, 'a class, or an array of one class', payload);
  }
  if (NO_MODELS.has(item)) {
    const expected = 'a class of your app, String, Number or Boolean';
    throw new SseOptionsError(`events.${type}`, expected, item.name);
  }
  const schema = PRIMITIVES.get(item) ?? { $ref: getSchemaPath(item) };
  return item === payload ? schema : { type: 'array', items: schema };
}

function itemOf(payload: SsePayload): Type<unknown> {
  return Array.isArray(payload) ? (payload as [Type<unknown>])[0] : (payload as Type<unknown>);
}
