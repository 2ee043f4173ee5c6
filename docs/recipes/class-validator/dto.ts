import type { StandardSchemaV1 } from '@standard-schema/spec';
import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';

/** A class of class-validator as a schema, for the events of a contract. */
export function dto<T extends object>(type: new () => T): StandardSchemaV1<T> {
  const validate = (value: unknown): StandardSchemaV1.Result<T> => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return { issues: [{ message: 'expected an object' }] };
    }
    const data = plainToInstance(type, value);
    const errors = validateSync(data, { whitelist: true });
    if (errors.length === 0) return { value: data };
    return { issues: errors.flatMap((error) => issuesOf(error, [])) };
  };
  return { '~standard': { version: 1, vendor: 'class-validator', validate } };
}

function issuesOf(
  { property, constraints = {}, children = [] }: ValidationError,
  parents: readonly string[],
): StandardSchemaV1.Issue[] {
  const path = [...parents, property];
  const own = Object.values(constraints).map((message) => ({ message, path }));
  return [...own, ...children.flatMap((child) => issuesOf(child, path))];
}
