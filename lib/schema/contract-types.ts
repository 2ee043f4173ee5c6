import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { SseMessage } from '../wire/frame.js';
import type { EventSchemas } from './validate.js';
import type { Receive, ReceiveOptions } from './received-events.js';

/**
 * An event of a contract with more than its schema.
 * @publicApi
 */
export interface ContractEvent<Schema extends StandardSchemaV1 = StandardSchemaV1> {
  /** The schema of the event's data. */
  readonly schema: Schema;
  /**
   * Marks the event as deprecated in the OpenAPI document. A text says what to use instead. The
   * event is still sent.
   * @default false
   */
  readonly deprecated?: boolean | string;
  /** The version of the app that sent this event first. For the OpenAPI document only. */
  readonly since?: string;
  /** The description in the OpenAPI document. */
  readonly description?: string;
  /**
   * The JSON Schema of the data, for the OpenAPI document.
   * @default what the schema library says
   */
  readonly jsonSchema?: Readonly<Record<string, unknown>>;
}

/**
 * The events of a contract, by event type: schemas, or objects with a schema. A class whose static
 * `schema` is one, as of nestjs-zod, is such an object.
 * @publicApi
 */
export type ContractEvents = Readonly<Record<string, StandardSchemaV1 | ContractEvent>>;

/**
 * Any contract of `sseContract()`.
 * @publicApi
 */
export interface AnyContract {
  readonly path: string;
  readonly events: ContractEvents;
  readonly query: StandardSchemaV1 | undefined;
  readonly params: StandardSchemaV1 | undefined;
  /** @internal */
  readonly schemas: EventSchemas;
  /** @internal The names of the path parameters. */
  readonly parameters: readonly string[];
  /** The URL of the stream. */
  url(options?: unknown): string;
  /** @internal */
  receiver(options: ReceiveOptions): Receive;
}

type SchemaOf<Event> = Event extends StandardSchemaV1
  ? Event
  : Event extends ContractEvent<infer Schema>
    ? Schema
    : never;

type InputOf<Event> = StandardSchemaV1.InferInput<SchemaOf<Event>>;
type OutputOf<Event> = StandardSchemaV1.InferOutput<SchemaOf<Event>>;

/** The names of the parameters of a path, such as `'customer'` for `orders/:customer/events`. */
export type PathParams<Path extends string> = Path extends `${infer Segment}/${infer Rest}`
  ? NameOf<Segment> | PathParams<Rest>
  : NameOf<Path>;
type NameOf<Segment extends string> = Segment extends `:${infer Name}` ? Name : never;

/**
 * The event map of a contract, for `Broadcaster<EventsOf<typeof orders>>`: event types, and the
 * data to emit. A schema may turn that into other data: see `ReceivedEventsOf`.
 * @publicApi
 */
export type EventsOf<Contract extends AnyContract> = {
  [Type in keyof Contract['events'] & string]: InputOf<Contract['events'][Type]>;
};

/**
 * The event map that a client of the contract gets: what the schemas return, as JSON carries it.
 * For example a `Date` is a `string`.
 * @publicApi
 */
export type ReceivedEventsOf<Contract extends AnyContract> = {
  [Type in keyof Contract['events'] & string]: Jsonified<OutputOf<Contract['events'][Type]>>;
};

/**
 * The event map that a client with `validate: true` gets: what the schemas return for the received
 * data.
 * @publicApi
 */
export type ValidatedEventsOf<Contract extends AnyContract> = {
  [Type in keyof Contract['events'] & string]: OutputOf<Contract['events'][Type]>;
};

/**
 * The query that a handler of the contract gets.
 * @publicApi
 */
export type QueryOf<Contract extends AnyContract> = Contract['query'] extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Contract['query']>
  : Record<string, never>;

/**
 * The path parameters that a handler of the contract gets: strings, unless `params` has a schema.
 * @publicApi
 */
export type ParamsOf<Contract extends AnyContract> = Contract['params'] extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Contract['params']>
  : Record<PathParams<Contract['path']>, string>;

/**
 * What a handler of the contract may emit.
 * @publicApi
 */
export type MessageOf<Contract extends AnyContract> =
  | {
      [Type in keyof Contract['events'] & string]: Readonly<
        Omit<SseMessage, 'type' | 'data'> & {
          data: InputOf<Contract['events'][Type]>;
        } & (Type extends 'message' ? { type?: Type } : { type: Type })
      >;
    }[keyof Contract['events'] & string]
  | (Readonly<Omit<SseMessage, 'type' | 'data'>> & {
      readonly type?: never;
      readonly data?: never;
    });

/** Stays as it is. Such a type may contain itself, which a mapped type over arrays cannot. */
type Json =
  string | number | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json };

/** A value as it arrives: what `JSON.parse()` makes of its JSON. */
export type Jsonified<Value> = unknown extends Value
  ? Value
  : Value extends { toJSON(): infer Text }
    ? Text
    : Value extends Json
      ? Value
      : Value extends Uint8Array
        ? string
        : Value extends (...args: never[]) => unknown
          ? never
          : Value extends object
            ? { [Key in keyof Value]: Jsonified<Value[Key]> }
            : never;

/** The URL of a contract's stream: where the server is, and what the path and the query need. */
export type UrlOptions<Contract extends AnyContract> = {
  /**
   * The URL before the contract's path, with a global prefix and a controller's prefix.
   * @default the origin of the page
   */
  baseUrl?: string | URL;
} & ([PathParams<Contract['path']>] extends [never]
  ? { params?: undefined }
  : {
      /** The parameters of the path. */
      params: Readonly<Record<PathParams<Contract['path']>, string | number>>;
    }) &
  (Contract['query'] extends StandardSchemaV1
    ? object extends StandardSchemaV1.InferInput<Contract['query']>
      ? {
          /** The query. `undefined` values are left out, and an array becomes several values. */
          query?: StandardSchemaV1.InferInput<Contract['query']>;
        }
      : {
          /** The query. `undefined` values are left out, and an array becomes several values. */
          query: StandardSchemaV1.InferInput<Contract['query']>;
        }
    : { query?: undefined });

/** No argument is needed where nothing is required. */
export type OptionalIfEmpty<Options> = object extends Options
  ? [options?: Options]
  : [options: Options];
