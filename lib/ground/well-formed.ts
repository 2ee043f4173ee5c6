/** Methods that Node 20 has, but that TypeScript's `lib` for our target does not declare. */
interface Text {
  isWellFormed(): boolean;
  toWellFormed(): string;
}

/**
 * Whether a text has no lone surrogates. UTF-8 has none, so two texts that differ in nothing else
 * are the same on the wire and in Redis. Costs nothing for ASCII and Latin-1, which V8 does not
 * even look at.
 */
export const isWellFormed = (text: string): boolean => (text as unknown as Text).isWellFormed();

/** The text as a client gets it: U+FFFD for each lone surrogate. */
export const toWellFormed = (text: string): string => (text as unknown as Text).toWellFormed();
