import { inspect } from 'node:util';

/** A value for a message: on one line, and not all of a large one. */
export function inspectValue(value: unknown): string {
  return inspect(value, {
    compact: true,
    breakLength: Infinity,
    maxStringLength: 200,
    maxArrayLength: 10,
  });
}
