import { SseInvalidEventError } from '../ground/errors.js';
import type { SseMessage } from '../wire/frame.js';
import { asynchronous } from './contract.js';
import type { EventSchemas } from './validate.js';
import { isPromise, validate } from './validate.js';

/**
 * A message whose data is what its schema returns. A message without data and type, such as a
 * comment, is no event and is not checked.
 * @throws SseInvalidEventError for an unknown event type or data that the schema refuses;
 * SseOptionsError for an asynchronous schema
 */
export function checkedEvent(schemas: EventSchemas, message: SseMessage): SseMessage {
  if (message.type === undefined && message.data === undefined) return message;
  const { type = 'message', data } = message;
  const schema = schemas.get(type);
  if (schema === undefined) {
    const remedy = `no such event in the contract; use one of ${[...schemas.keys()].join(', ')}, or add it`;
    throw new SseInvalidEventError(type, [{ path: '', message: remedy }]);
  }
  const result = validate(schema, data);
  if (isPromise(result)) {
    result.catch(() => {});
    throw asynchronous(`events.${type}`, schema);
  }
  if (result.problems) throw new SseInvalidEventError(type, result.problems);
  return { ...message, data: result.value };
}
