import { isWellFormed } from '../ground/well-formed.js';

const MAX_KEY_LENGTH = 512;

/** What is wrong with the key of an entry, and what to do about it; `undefined` for a valid one. */
export function keyProblem(key: unknown): string | undefined {
  if (typeof key !== 'string' || key === '' || key.length > MAX_KEY_LENGTH) {
    return `expected a text of 1 to ${MAX_KEY_LENGTH} characters`;
  }
  if (/[\r\n\0]/.test(key)) {
    return 'must not contain a line break or NUL; encode it, for example as base64url';
  }
  if (!isWellFormed(key)) {
    return 'must not contain a lone surrogate; encode it, for example with JSON.stringify()';
  }
  return undefined;
}
