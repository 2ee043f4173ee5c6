import { ApiParam, ApiQuery, ApiResponse } from '@nestjs/swagger';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describe, SseOptionsError } from '../ground/errors.js';
import { contractEvents } from '../schema/contract.js';
import type { AnyContract, ContractEvent } from '../schema/contract-types.js';
import type { EventDescription, Schema } from './frame-schema.js';
import { forOpenApi30, jsonSchemaOf } from './json-schema.js';

/**
 * The events of a contract for the document.
 * @throws SseOptionsError for a schema without JSON Schema
 */
export function eventsOf(contract: AnyContract): EventDescription[] {
  return contractEvents(contract).map(([type, event]) => ({
    type,
    data: dataOf(`contract "${contract.path}", event "${type}"`, event),
    description: descriptionOf(event),
    deprecated: Boolean(event.deprecated),
  }));
}

function dataOf(at: string, { schema, jsonSchema }: ContractEvent): Schema {
  if (jsonSchema === undefined) return jsonSchemaOf(at, schema, 'output');
  try {
    return forOpenApi30(jsonSchema);
  } catch (error) {
    const expected = 'a JSON Schema that OpenAPI 3.0 can have';
    throw new SseOptionsError(`${at}, jsonSchema`, expected, jsonSchema, describe(error));
  }
}

function descriptionOf({ description, since, deprecated }: ContractEvent): string | undefined {
  const parts = [
    description,
    since === undefined ? undefined : `Since ${since}.`,
    typeof deprecated === 'string' ? `Deprecated: ${deprecated}` : undefined,
  ];
  return parts.filter(Boolean).join(' ') || undefined;
}

/** Describes the query, the path parameters and the answer to wrong ones. */
export function inputDecorators(contract: AnyContract): MethodDecorator[] {
  const { query, params, parameters, path } = contract;
  const ofParams = propertiesOf(`contract "${path}", params`, params);
  const decorators = parameters.map((name) =>
    ApiParam({ name, schema: ofParams.schemas[name] ?? { type: 'string' } }),
  );
  const { schemas, required } = propertiesOf(`contract "${path}", query`, query);
  for (const [name, { description, deprecated, ...schema }] of Object.entries(schemas)) {
    const about = { ...(description && { description }), ...(deprecated && { deprecated }) };
    decorators.push(ApiQuery({ name, required: required.includes(name), schema, ...about }));
  }
  if (query ?? params) {
    const description = 'The query or a path parameter is wrong.';
    decorators.push(ApiResponse({ status: 400, description }));
  }
  return decorators;
}

interface Properties {
  readonly schemas: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
}

function propertiesOf(at: string, schema: StandardSchemaV1 | undefined): Properties {
  return propertiesIn(schema ? jsonSchemaOf(at, schema, 'input') : {});
}

/** Of all parts: those of `allOf` apply together, of a union only one does. */
function propertiesIn({ properties = {}, required = [], allOf, anyOf, oneOf }: Schema): Properties {
  const own = { schemas: properties as Properties['schemas'], required };
  const together = [own, ...((allOf ?? []) as Schema[]).map(propertiesIn)];
  for (const union of [anyOf, oneOf]) {
    if (union === undefined) continue;
    const parts = (union as Schema[]).map(propertiesIn);
    const names = new Set(parts.flatMap(({ schemas }) => Object.keys(schemas)));
    const schemas = Object.fromEntries([...names].map((name) => [name, oneOfThem(name, parts)]));
    const inAll = [...names].filter((name) => parts.every((part) => part.required.includes(name)));
    together.push({ schemas, required: inAll });
  }
  return {
    schemas: Object.assign({}, ...together.map(({ schemas }) => schemas)) as Properties['schemas'],
    required: together.flatMap((part) => part.required),
  };
}

function oneOfThem(name: string, parts: readonly Properties[]): Schema {
  const known = parts.flatMap(({ schemas }) => schemas[name] ?? []);
  return known.length === 1 ? known[0]! : { anyOf: known };
}
