import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { describe, SseOptionsError } from '../ground/errors.js';
import type { Schema } from './frame-schema.js';

type Json = Readonly<Record<string, unknown>>;

/** `@nestjs/swagger` writes OpenAPI 3.0. Libraries that do not have it have the draft. */
const TARGETS = ['openapi-3.0', 'draft-07'];

/**
 * The JSON Schema of what a schema takes or returns, as OpenAPI 3.0 has it.
 * https://standardschema.dev/json-schema
 * @throws SseOptionsError if the schema has none
 */
export function jsonSchemaOf(
  at: string,
  schema: StandardSchemaV1,
  side: 'input' | 'output',
): Schema {
  const { jsonSchema } = schema['~standard'] as Partial<StandardJSONSchemaV1.Props>;
  const { vendor } = schema['~standard'];
  const remedy =
    'use a version of the library that implements Standard JSON Schema (zod 4.2, arktype 2.1.28, valibot with toStandardJsonSchema()), or set `jsonSchema` of the event';
  if (jsonSchema === undefined) {
    throw refused(
      at,
      schema,
      `this schema of ${vendor} has no JSON Schema for the document; ${remedy}`,
    );
  }
  let failure: unknown;
  for (const target of TARGETS) {
    try {
      return forOpenApi30(jsonSchema[side]({ target, libraryOptions: FOR_ZOD }));
    } catch (error) {
      failure = error;
    }
  }
  const problem = `${vendor} could not write the JSON Schema for the document: ${describe(failure)}; ${remedy}`;
  throw refused(at, schema, problem);
}

/**
 * zod refuses dates, which JSON carries as text. Without the first option it would not ask the
 * second one.
 */
const FOR_ZOD = {
  unrepresentable: 'any',
  override: ({ zodSchema, jsonSchema }: ZodNode): void => {
    const { type } = zodSchema.def;
    if (type === 'date') Object.assign(jsonSchema, { type: 'string', format: 'date-time' });
    else if (UNREPRESENTABLE.has(type)) throw new Error(`JSON Schema has no ${type}`);
  },
};

interface ZodNode {
  readonly zodSchema: { readonly def: { readonly type: string } };
  readonly jsonSchema: object;
}

/** https://zod.dev/json-schema */
const UNREPRESENTABLE = new Set([
  'bigint',
  'int64',
  'symbol',
  'undefined',
  'void',
  'map',
  'set',
  'transform',
  'nan',
  'custom',
]);

function refused(at: string, schema: StandardSchemaV1, problem: string): SseOptionsError {
  return new SseOptionsError(at, 'a schema with a JSON Schema', schema, problem);
}

/**
 * Writes what JSON Schema says in the words of OpenAPI 3.0, and definitions where they are used.
 */
export function forOpenApi30(root: Json): Schema {
  const convert = (node: unknown, path: readonly string[]): unknown => {
    if (Array.isArray(node)) return node.map((one) => convert(one, path));
    if (typeof node !== 'object' || node === null) return node;
    const { $ref, $defs: _, definitions: _d, ...schema } = node as Json;
    if (typeof $ref === 'string') {
      if (path.includes($ref)) throw new Error(`the schema contains itself (${$ref})`);
      return convert({ ...(resolve(root, $ref) as object), ...schema }, [...path, $ref]);
    }
    const converted = mapSchemas(schema, (value) => convert(value, path));
    return withoutNull(withoutDraft(withoutTuple(converted)));
  };
  return convert(root, []) as Schema;
}

/** Converts what a schema has in it: not data of the app, and not the names of properties. */
function mapSchemas(schema: object, convert: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]: [string, unknown]) => {
      if (isData(key)) return [key, value];
      const isMap = key === 'properties' && typeof value === 'object' && value !== null;
      return [key, isMap ? mapValues(value, convert) : convert(value)];
    }),
  );
}

function mapValues(map: object, convert: (value: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, convert(value)]));
}

/** OpenAPI 3.1 has JSON Schema's own words for what 3.0 says in others. */
export function forOpenApi31(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(forOpenApi31);
  if (typeof node !== 'object' || node === null) return node;
  const schema = mapSchemas(node, forOpenApi31);
  for (const [flag, limit] of EXCLUSIVE) {
    if (typeof schema[flag] !== 'boolean') continue;
    if (schema[flag]) {
      schema[flag] = schema[limit];
      delete schema[limit];
    } else delete schema[flag];
  }
  const { nullable, ...rest } = schema;
  if (typeof nullable !== 'boolean') return schema;
  if (!nullable) return rest;
  if (Array.isArray(rest['enum']))
    rest['enum'] = [...new Set([...(rest['enum'] as unknown[]), null])];
  if (typeof rest['type'] === 'string') return { ...rest, type: [rest['type'], 'null'] };
  return { anyOf: [rest, { type: 'null' }] };
}

const EXCLUSIVE = [
  ['exclusiveMinimum', 'minimum'],
  ['exclusiveMaximum', 'maximum'],
] as const;

/** Keywords whose values are data of the app, not schemas. */
function isData(key: string): boolean {
  return ['const', 'enum', 'default', 'example', 'examples'].includes(key);
}

/** One schema alone needs no `allOf`. */
function withoutAllOf({ allOf, ...schema }: Record<string, unknown>): Record<string, unknown> {
  if (!Array.isArray(allOf)) return schema;
  return allOf.length === 1 ? { ...(allOf[0] as Json), ...schema } : { ...schema, allOf };
}

/** OpenAPI 3.0 has one schema for all items of an array. */
function withoutTuple(schema: Record<string, unknown>): Record<string, unknown> {
  const { prefixItems, items, additionalItems, ...rest } = schema;
  const tuple = [prefixItems, items].find(Array.isArray) as unknown[] | undefined;
  if (tuple === undefined) return schema;
  const others = tuple === items ? additionalItems : items;
  const hasOthers = typeof others === 'object' && others !== null;
  const isOpen = others === undefined || others === true;
  if (isOpen) return { ...rest, type: 'array', items: {} };
  const anyOf = hasOthers ? [...tuple, others] : tuple;
  const maxItems = hasOthers ? {} : { maxItems: tuple.length };
  return { ...maxItems, ...rest, items: { anyOf } };
}

/** Keywords that OpenAPI 3.0 does not have. Without them a schema allows more. */
const UNKNOWN = (
  '$schema $id $anchor $comment additionalItems propertyNames contains minContains maxContains ' +
  'dependentRequired dependentSchemas dependencies if then else unevaluatedProperties ' +
  'unevaluatedItems contentEncoding contentMediaType contentSchema'
).split(' ');

function withoutDraft(schema: Record<string, unknown>): Record<string, unknown> {
  const { const: only, examples, patternProperties, ...rest } = withoutAllOf(schema);
  for (const keyword of UNKNOWN) delete rest[keyword];
  // Properties by pattern are additional ones, and could be refused.
  if (patternProperties !== undefined) delete rest['additionalProperties'];
  if ('const' in schema) rest['enum'] = [only];
  if (Array.isArray(examples)) rest['example'] = examples[0];
  for (const [exclusive, limit] of EXCLUSIVE) {
    if (typeof rest[exclusive] !== 'number') continue;
    rest[limit] = rest[exclusive];
    rest[exclusive] = true;
  }
  return rest;
}

/** OpenAPI 3.0 has no type `null`. */
function withoutNull(schema: Record<string, unknown>): Record<string, unknown> {
  const { type, anyOf, oneOf, ...rest } = schema;
  if (type === 'null') return { ...rest, nullable: true, enum: [null] };
  if (Array.isArray(type)) {
    const types = (type as string[]).filter((one) => one !== 'null');
    const nullable = types.length < type.length ? { nullable: true } : {};
    if (types.length === 1) return { ...schema, type: types[0], ...nullable };
    return { ...rest, anyOf: types.map((one) => ({ type: one, ...nullable })) };
  }
  for (const [key, list] of Object.entries<unknown>({ anyOf, oneOf })) {
    if (!Array.isArray(list)) continue;
    const others = (list as Json[]).filter((one) => one['nullable'] !== true || one['type']);
    if (others.length === list.length) continue;
    if (others.length === 1) return { ...rest, ...others[0], nullable: true };
    return { ...schema, [key]: others, nullable: true };
  }
  return schema;
}

/** A reference within the schema: `#/$defs/Order`. */
function resolve(root: unknown, reference: string): unknown {
  const found = reference
    .split('/')
    .slice(1)
    .reduce<unknown>(
      (at, key) => (at as Json | undefined)?.[key.replaceAll('~1', '/').replaceAll('~0', '~')],
      root,
    );
  if (reference.startsWith('#') && found !== undefined) return found;
  throw new Error(`the reference ${reference} leads elsewhere`);
}
