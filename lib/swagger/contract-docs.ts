import { ApiParam, ApiQuery, ApiResponse } from '@nestjs/swagger';
import type { StandardSchemaV1 } from '@standard-schema/spec';
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
    data: event.jsonSchema
      ? forOpenApi30(event.jsonSchema)
      : jsonSchemaOf(`contract "${contract.path}", event "${type}"`, event.schema, 'output'),
    description: descriptionOf(event),
    deprecated: Boolean(event.deprecated),
  }));
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

function propertiesOf(at: string, schema: StandardSchemaV1 | undefined) {
  const { properties = {}, required = [] } = schema ? jsonSchemaOf(at, schema, 'input') : {};
  return { schemas: properties as Readonly<Record<string, Schema>>, required };
}
