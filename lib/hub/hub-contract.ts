import type { StandardSchemaV1 } from '@standard-schema/spec';
import { SseOptionsError } from '../ground/errors.js';
import { isContract } from '../schema/contract.js';
import type { AnyContract } from '../schema/contract-types.js';
import type { EventSchemas } from '../schema/validate.js';

/** The `contract` of a hub. */
type HubContract = AnyContract | readonly AnyContract[] | undefined;

/**
 * The rule of the option `contract`.
 * @throws SseOptionsError for anything but contracts, and for two that describe an event
 * differently
 */
export function contracts(path: string, value: unknown): void {
  const list: unknown[] = value === undefined ? [] : [value].flat();
  for (const one of list) {
    if (isContract(one)) continue;
    throw new SseOptionsError(path, 'a contract of sseContract(), or an array of them', one);
  }
  const known = new Map<string, readonly [StandardSchemaV1, AnyContract]>();
  for (const contract of list as AnyContract[]) {
    for (const [type, schema] of contract.schemas) {
      const [other, first] = known.get(type) ?? [schema, contract];
      known.set(type, [other, first]);
      if (other === schema) continue;
      const problem = `"${first.path}" and "${contract.path}" have an event "${type}" with different schemas; share the schema, rename one event, or give each contract a hub of its own`;
      throw new SseOptionsError(path, 'one schema for each event type', type, problem);
    }
  }
}

/** The schemas of all events of a hub; `undefined` if it has no contract. */
export function schemasOf(contract: HubContract): EventSchemas | undefined {
  if (contract === undefined) return undefined;
  return new Map([contract].flat().flatMap(({ schemas }) => [...schemas]));
}
