import { SseInvalidFieldError, SseLimitError } from '../ground/errors.js';
import type { NewEvent } from '../log/event-log.js';
import type { EventLogFactory } from '../log/event-log-factory.js';
import { encodeBody, type Serialize, type SseMessage } from '../wire/frame.js';
import { CONNECTIONS_DEFAULTS, type LimitsOptions } from '../connection/connections.options.js';
import { defined } from '../options/defined.js';
import { exceptedClient } from './addressees.js';
import { schemasOf } from './hub-contract.js';
import type { EmitOptions, HubOptions } from './hub.options.js';
import { checkedEvent } from '../schema/checked-event.js';
import type { EventSchemas } from '../schema/validate.js';
import { PublishedMessage } from '../log/published-message.js';
import { warnOfReservedType } from '../ground/warnings.js';
import { isWellFormed } from '../ground/well-formed.js';

/** A hub's settings for its events. */
export interface HubFacts {
  readonly serialize: Serialize | undefined;
  readonly keepsHistory: boolean;
  /** Limit of wire text; `false` for none. */
  readonly maxBytes: number | false;
  /** `false` for no limit. */
  readonly maxRooms: number | false;
  /** The schemas of the hub's contracts, if it has one. */
  readonly schemas?: EventSchemas | undefined;
  /** Whether the module option `identify` is set. */
  readonly identifies?: boolean;
  /** What the app's `ClassSerializerInterceptor` does to data, if it has one. */
  readonly toPlain?: ((data: unknown) => unknown) | undefined;
}

export function factsOf(options: HubOptions, own: LimitsOptions, identifies: boolean): HubFacts {
  const { maxEventBytes, maxRoomsPerEvent, keepsHistory } = publishingOf(options, own, identifies);
  return {
    serialize: options.serialize,
    keepsHistory,
    maxBytes: maxEventBytes,
    maxRooms: maxRoomsPerEvent,
    schemas: schemasOf(options.contract),
    identifies,
  };
}

/** The part of these settings that holds for those who publish without the hub, too. */
export function publishingOf(
  { history }: HubOptions,
  own: LimitsOptions,
  identifies: boolean,
): NonNullable<Parameters<EventLogFactory>[0]['publishing']> {
  const { maxEventBytes, maxRoomsPerEvent } = { ...CONNECTIONS_DEFAULTS.limits, ...defined(own) };
  return { maxEventBytes, maxRoomsPerEvent, keepsHistory: history !== false, identifies };
}

/**
 * Checks and encodes a message that is published. Does not change the caller's message.
 * @param rooms checks the names of the rooms, and returns them
 * @throws SseInvalidFieldError, SseInvalidEventError, SseSerializeError, SseLimitError;
 * SseOptionsError for `except` without `identify`
 */
export function newEvent(
  rooms: () => string[],
  message: SseMessage,
  { retry = message.retry, key, ephemeral = false, except }: EmitOptions,
  { serialize, keepsHistory, maxBytes, maxRooms, toPlain, schemas, identifies }: HubFacts,
): NewEvent {
  if (message.id !== undefined) {
    const remedy = 'expected no id, because the hub assigns ids; put your own id into `data`';
    throw new SseInvalidFieldError('id', message.id, remedy);
  }
  const complete: SseMessage = { ...(schemas ? checkedEvent(schemas, message) : message) };
  if (retry !== undefined) complete.retry = retry;
  // Without a data field, a client fires no event, whatever the type.
  if (complete.type !== undefined && complete.data === undefined) complete.data = '';
  if (toPlain !== undefined) complete.data = toPlain(complete.data);
  const body = encodeBody(complete, serialize);
  if (maxBytes !== false) checkSize(body, maxBytes);
  warnOfReservedType(message.type);
  const list = rooms();
  if (maxRooms !== false && list.length > maxRooms) {
    const remedy = `an event for ${list.length} rooms was not published; publish it in parts, or to one room that all its readers join`;
    throw new SseLimitError('maxRoomsPerEvent', maxRooms, remedy);
  }
  return {
    rooms: list,
    message: new PublishedMessage(complete, body, serialize !== undefined),
    body,
    key: checkedKey(key),
    ephemeral: ephemeral || !keepsHistory,
    except: exceptedClient(except, identifies === true),
  };
}

function checkedKey(key: unknown): string | undefined {
  if (key === undefined) return key;
  if (typeof key !== 'string' || key === '') {
    throw new SseInvalidFieldError('key', key, 'expected a non-empty string');
  }
  // Redis keys are UTF-8, where all lone surrogates are equal: the second event would count as a
  // duplicate of the first.
  if (!isWellFormed(key)) {
    const remedy =
      'must not contain a lone surrogate; encode it, for example with JSON.stringify()';
    throw new SseInvalidFieldError('key', key, remedy);
  }
  return key;
}

/** @throws SseLimitError */
export function checkSize(body: string, max: number): void {
  // UTF-8 has at most three bytes per character, so most events need no counting.
  if (body.length * 3 <= max) return;
  const bytes = Buffer.byteLength(body);
  if (bytes <= max) return;
  const remedy = `an event of ${bytes} bytes was not published; send a link to the data instead`;
  throw new SseLimitError('maxEventBytes', max, remedy);
}
