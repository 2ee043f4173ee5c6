/** The guide shows Vitest, which is not installed here. Jest has the same functions. */
declare module 'vitest' {
  export * from '@jest/globals';
}
