import 'reflect-metadata';
import { SseInvalidFieldError } from '../ground/errors.js';
import type { SseMap } from '../connection/stream.options.js';
import { isBytes, type SseMessage } from '../wire/frame.js';

/** The metadata key under which `@SseType()`, `@SseId()` and the like store the map of a class. */
export const SSE_MAP = 'nestjs-eventstream:map';

/**
 * Turns what a handler emitted into a message. With a map, properties become fields. A plain value
 * becomes `data`. Any other object must already be a message.
 */
export function toMessage(value: unknown, map?: SseMap): SseMessage {
  if (typeof value !== 'object' || value === null || isBytes(value) || value instanceof Blob) {
    if (value !== undefined) return { data: value };
    throw new SseInvalidFieldError('message', value, 'expected a message or a value');
  }
  const mapping = map ?? mapOfClass(value);
  if (mapping !== undefined) return mapped(value as Record<string, unknown>, mapping);
  if (Array.isArray(value)) {
    throw new SseInvalidFieldError(
      'message',
      value,
      'expected an object; put an array into `data`',
    );
  }
  return value;
}

function mapOfClass(value: object): SseMap | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || typeof prototype !== 'object' || prototype === null) {
    return undefined;
  }
  return Reflect.getMetadata(SSE_MAP, prototype) as SseMap | undefined;
}

function mapped(value: Record<string, unknown>, map: SseMap): SseMessage {
  const message: Record<string, unknown> = {};
  message['data'] = map.data === undefined ? value : value[map.data];
  for (const field of ['type', 'id', 'retry'] as const) {
    const property = map[field];
    // A `null` from a database column means "no such field", not the text "null".
    if (property !== undefined && value[property] != null) message[field] = value[property];
  }
  return message;
}
