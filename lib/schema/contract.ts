import type { StandardSchemaV1 } from '@standard-schema/spec';
import { preview, SseOptionsError } from '../ground/errors.js';
import { isWellFormed } from '../ground/well-formed.js';
import { object, required, trueOrFalse, type Rule } from '../options/rules.js';
import { parametersOf, urlOf } from './contract-path.js';
import type {
  AnyContract,
  ContractEvent,
  ContractEvents,
  OptionalIfEmpty,
  UrlOptions,
} from './contract-types.js';
import { receiveBy, type Receive, type ReceiveOptions } from './received-events.js';
import { isPromise, isSchema, validate, type EventSchemas } from './validate.js';

/**
 * Marks contracts. `nestjs-eventstream-client` has a class of its own, so `instanceof` would refuse
 * a contract that a front end shares with its server. Rename it if `AnyContract` changes.
 */
const CONTRACT = Symbol.for('nestjs-eventstream:contract');

/**
 * The definition of a contract, for `sseContract()`.
 * @publicApi
 */
export interface ContractDefinition<
  Path extends string,
  Events extends ContractEvents,
  Query extends StandardSchemaV1 | undefined,
  Params extends StandardSchemaV1 | undefined,
> {
  /**
   * The path of the route, as for `@SseStream()`. A segment is plain text or one parameter, such as
   * `:customer`.
   */
  path: Path;
  /**
   * The events of the stream, by event type. `message` is the type of events without one. Schemas
   * of any library that implements Standard Schema, such as zod, valibot or arktype. They must be
   * synchronous. https://standardschema.dev
   */
  events: Events;
  /**
   * The schema of the query. A handler gets what it returns. It may be asynchronous.
   * @default the query is not checked
   */
  query?: Query;
  /**
   * The schema of the path parameters, as an object. A handler gets what it returns. It may be
   * asynchronous.
   * @default each is a string
   */
  params?: Params;
}

/**
 * The path, the parameters and the events of a stream, for both ends. Created by `sseContract()`.
 * @publicApi
 */
export class SseContract<
  Path extends string,
  Events extends ContractEvents,
  Query extends StandardSchemaV1 | undefined,
  Params extends StandardSchemaV1 | undefined,
> implements AnyContract {
  readonly path: Path;
  readonly events: Events;
  readonly query: Query;
  readonly params: Params;
  /** @internal */
  readonly schemas: EventSchemas;
  /** @internal The names of the path parameters. */
  readonly parameters: readonly string[];

  /** @internal */
  constructor(definition: ContractDefinition<Path, Events, Query, Params>) {
    this.parameters = parametersOf(definition.path);
    const { path, events, query, params } = definition;
    this.path = path;
    this.events = Object.freeze({ ...events });
    this.query = query as Query;
    this.params = params as Params;
    this.schemas = new Map(
      Object.entries(events).map(([type, event]) => [type, schemaOf(event)] as const),
    );
    Object.freeze(this);
  }

  /**
   * The URL of the stream, for example for an `EventSource`.
   * @throws SseOptionsError for a parameter that is missing, empty or unknown
   * @example `new EventSource(orders.url({ params: { customer: 'c7' } }))`
   */
  url(...[options]: OptionalIfEmpty<UrlOptions<SseContract<Path, Events, Query, Params>>>): string {
    return urlOf(this.path, options);
  }

  /** @internal */
  get [CONTRACT](): true {
    return true;
  }

  /** @internal Here, so that a client without a contract does not load it. */
  receiver(options: ReceiveOptions): Receive {
    return receiveBy(this.schemas, options);
  }
}

/**
 * Defines a stream once for both ends: `@SseStream(contract)` and the hub check what is sent,
 * `connect(contract)` knows the types, and the OpenAPI document is made from it.
 * @throws SseOptionsError for a wrong path, event type or schema
 * @example
 * ```ts
 * export const orders = sseContract({
 *   path: 'orders/:customer/events',
 *   query: z.object({ since: z.iso.datetime().optional() }),
 *   events: {
 *     created: z.object({ no: z.int(), total: z.number() }),
 *     shipped: z.object({ no: z.int(), carrier: z.string() }),
 *   },
 * });
 * ```
 * @publicApi
 */
export function sseContract<
  const Path extends string,
  const Events extends ContractEvents,
  Query extends StandardSchemaV1 | undefined = undefined,
  Params extends StandardSchemaV1 | undefined = undefined,
>(
  definition: ContractDefinition<Path, Events, Query, Params>,
): SseContract<Path, Events, Query, Params> {
  checkDefinition('sseContract()', definition);
  return new SseContract(definition);
}

/** The schema of an event of a contract. */
function schemaOf(event: StandardSchemaV1 | ContractEvent): StandardSchemaV1 {
  return isSchema(event) ? event : event.schema;
}

/** An event of a contract with all that is said about it. */
export function contractEvents(contract: AnyContract): [string, ContractEvent][] {
  return Object.entries(contract.events).map(([type, event]) => [
    type,
    isSchema(event) ? { schema: event } : event,
  ]);
}

export function isContract(value: unknown): value is AnyContract {
  return typeof value === 'object' && value !== null && CONTRACT in value;
}

const SCHEMA = 'a Standard Schema, such as one of zod (3.24 or newer), valibot (1) or arktype (2)';

const aSchema: Rule = (path, value) => {
  if (value !== undefined && !isSchema(value)) throw new SseOptionsError(path, SCHEMA, value);
};

const anEvent = object({
  schema: required(aSchema),
  deprecated: (path, value) => {
    if (typeof value !== 'string') trueOrFalse(path, value);
  },
  since: text,
  description: text,
  jsonSchema: anObject,
});

const checkDefinition = required(
  object({
    path: () => {},
    events: checkEvents,
    query: aSchema,
    params: aSchema,
  }),
);

function text(path: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string')
    throw new SseOptionsError(path, 'a string', value);
}

function anObject(path: string, value: unknown): void {
  if (value !== undefined && (typeof value !== 'object' || value === null))
    throw new SseOptionsError(path, 'an object', value);
}

function checkEvents(path: string, events: unknown): void {
  if (typeof events !== 'object' || events === null || Object.keys(events).length === 0) {
    throw new SseOptionsError(path, 'an object with at least one event', events);
  }
  for (const [type, event] of Object.entries(events)) {
    const at = `${path}.${type.replace(/\s+/g, ' ')}`;
    checkType(at, type);
    if (isSchema(event) || isClassWithSchema(event)) continue;
    if (typeof event === 'object' && event !== null && 'schema' in event) {
      anEvent(at, event);
    } else throw new SseOptionsError(at, `${SCHEMA}; or { schema }`, event);
  }
}

/** For example a class of `createZodDto()` of nestjs-zod. */
function isClassWithSchema(event: unknown): boolean {
  return typeof event === 'function' && isSchema((event as { schema?: unknown }).schema);
}

function checkType(at: string, type: string): void {
  const refuse = (problem: string): never => {
    throw new SseOptionsError(at, 'an event type', type, problem);
  };
  if (type === '') refuse('an event type is empty; use "message" for events without a type');
  if (/[\r\n\0]/.test(type) || !isWellFormed(type)) {
    refuse(`an event type must be one line of well-formed text, got ${preview(type)}; rename it`);
  }
  if (type.startsWith('sse-') || type === 'error' || type === 'open') {
    refuse(`the event type "${type}" has another meaning at the client; rename it`);
  }
}

/**
 * Finds schemas that are always asynchronous. One that is so only for some values is refused when
 * such a value is sent.
 * @throws SseOptionsError
 */
export async function checkAreSync(contract: AnyContract): Promise<void> {
  for (const [type, schema] of contract.schemas) {
    try {
      const result = validate(schema, undefined);
      if (!isPromise(result)) continue;
      await result;
    } catch {
      // A schema may fail without a value. Some libraries then return a promise.
      continue;
    }
    throw asynchronous(`contract "${contract.path}", event "${type}"`, schema);
  }
}

/** The error for a schema that returned a promise where the order of events is at stake. */
export function asynchronous(at: string, schema: StandardSchemaV1): SseOptionsError {
  const problem =
    'the schema returned a promise, because it is asynchronous or threw an error, but events are sent in order; check what needs waiting before you emit';
  return new SseOptionsError(at, 'a synchronous schema', schema, problem);
}
