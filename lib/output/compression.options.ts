import * as rules from '../options/rules.js';

/**
 * How streams are compressed.
 * @publicApi
 */
export interface CompressionOptions {
  /**
   * The level of zlib: 1 is the fastest, 9 the smallest. Texts of more than 32 KiB are always
   * compressed at level 1.
   * @default 6
   */
  level?: number;
  /**
   * How much of the text before it an event may refer to, in bytes, at most 32 768. Connections
   * that read the same share this text. A connection with events of its own keeps its own, until it
   * is idle. `0` compresses each write alone.
   * @default 4_096
   */
  windowBytes?: number;
}

/** The defaults where `compression` is on. */
export const COMPRESSION_DEFAULTS = Object.freeze({ level: 6, windowBytes: 4_096 });

const settings = rules.object({
  level: rules.integerFrom(1, 9),
  windowBytes: rules.integerFrom(0, 32_768),
});

const expected = rules.rule(
  'true, false or { level, windowBytes }',
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);

export function checkCompression(path: string, value: unknown): void {
  if (typeof value === 'boolean') return;
  expected(path, value);
  settings(path, value);
}
