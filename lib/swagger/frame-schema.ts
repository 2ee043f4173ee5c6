import type { Type } from '@nestjs/common';
import { getSchemaPath, type OpenAPIObject } from '@nestjs/swagger';
import { SseOptionsError } from '../ground/errors.js';

/**
 * The data of an event: a class that `@nestjs/swagger` can describe, `String`, `Number` or
 * `Boolean`; or an array of one of them, such as `[OrderDto]`.
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

/** JSON changes instances of these classes, or their properties are unknown. */
const NO_MODELS = new Set<unknown>([Date, Object, Array, Map, Set, Promise, Buffer]);

/** An event for the document. */
export interface EventDescription {
  readonly type: string;
  readonly data: Schema | Reference;
  readonly description?: string | undefined;
  readonly deprecated?: boolean;
}

/** The control events of the library. */
const OWN_FRAME = frameSchema(
  { type: 'string', enum: ['sse-gap', 'sse-error', 'sse-end'] },
  { type: 'object', additionalProperties: true },
  'Control events of the stream: `sse-gap` (missed events that cannot be replayed), `sse-error` and `sse-end`.',
);

/**
 * The schema of one event: its type decides its data. `@nestjs/swagger` writes OpenAPI 3.0, which
 * cannot describe JSON inside a string, so `data` has the schema of the parsed JSON.
 */
export function eventSchema(events: readonly EventDescription[]): Schema {
  const frames = events.map(({ type, data, description, deprecated }) => ({
    ...frameSchema({ type: 'string', enum: [type] }, data, description),
    ...(deprecated === true ? { deprecated } : {}),
  }));
  if (frames.length === 0) return frameSchema({ type: 'string' }, { type: 'string' });
  return { oneOf: [...frames, OWN_FRAME] };
}

/** Events whose data are classes. */
export function eventsOfClasses(events: Readonly<Record<string, SsePayload>>): EventDescription[] {
  return Object.entries(events).map(([type, payload]) => ({
    type,
    data: dataSchema(type, payload),
  }));
}

/** The classes that the document must describe. */
export function modelsOf(events: Readonly<Record<string, SsePayload>>): Type<unknown>[] {
  return Object.values(events)
    .map(itemOf)
    .filter((model) => !PRIMITIVES.has(model));
}

/** An event without a type is a `message`, so `event` is not required for it. */
function frameSchema(event: Schema, data: Schema | Reference, description?: string): Schema {
  const isNamed = event.enum !== undefined && !event.enum.includes('message');
  return {
    type: 'object',
    ...(description === undefined ? {} : { description }),
    required: isNamed ? ['event', 'data'] : ['data'],
    properties: {
      event,
      id: { type: 'string', description: 'Send the last id as `Last-Event-ID` to resume.' },
      retry: { type: 'integer', minimum: 0, description: 'The reconnection time in milliseconds.' },
      data,
    },
  };
}

function dataSchema(type: string, payload: SsePayload): Schema | Reference {
  const item = itemOf(payload);
  // A cycle of imports makes a class `undefined`.
  if (typeof item !== 'function') {
    throw new SseOptionsError(`events.${type}`, 'a class, or an array of one', payload);
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
