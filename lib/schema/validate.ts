import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { SchemaProblem } from '../ground/errors.js';

/** The schemas of events, by event type. An event without a type is a `message`. */
export type EventSchemas = ReadonlyMap<string, StandardSchemaV1>;

/** What a schema returned for a value, or what is wrong with the value. */
export type Validated =
  | { readonly value: unknown; readonly problems?: undefined }
  | { readonly problems: readonly SchemaProblem[] };

type Result = StandardSchemaV1.Result<unknown>;

export function validate(schema: StandardSchemaV1, value: unknown): Validated | Promise<Validated> {
  const result = schema['~standard'].validate(value);
  return isPromise(result) ? result.then(validated) : validated(result);
}

/** Whether the schema returned a promise. Its outcome is then ignored. */
export function isPromise<Value>(result: Value | Promise<Value>): result is Promise<Value> {
  return typeof (result as Partial<Promise<Value>> | undefined)?.then === 'function';
}

function validated(result: Result): Validated {
  if (result.issues === undefined) return { value: result.value };
  return {
    problems: result.issues.map(({ path = [], message }) => ({
      path: path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
      message,
    })),
  };
}

/** https://standardschema.dev/schema */
export function isSchema(value: unknown): value is StandardSchemaV1 {
  const isObject = typeof value === 'object' || typeof value === 'function';
  if (!isObject || value === null) return false;
  const standard = (value as Partial<StandardSchemaV1>)['~standard'];
  return typeof standard?.validate === 'function';
}
