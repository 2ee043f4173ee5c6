import { inspect } from 'node:util';

/** A value as text for a message: on one line, and shortened. */
export function inspectValue(value: unknown): string {
  return inspect(value, {
    compact: true,
    breakLength: Infinity,
    maxStringLength: 200,
    maxArrayLength: 10,
  });
}
