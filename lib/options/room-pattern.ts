import { SseOptionsError } from '../ground/errors.js';
import { isReserved } from '../wire/room-names.js';

/** As long as the longest name of a room. */
const MAX_LENGTH = 256;

/** The values of a pattern's parameters, by name. */
export type AnyParams = Readonly<Record<string, string>>;

/**
 * The parameters of a pattern of room names: `{ id: string }` for `'project.:id'`. Any names for a
 * pattern that the compiler does not know.
 * @publicApi
 */
export type RoomParams<Pattern extends string> = string extends Pattern
  ? AnyParams
  : { readonly [Name in NameIn<Part<Pattern>>]: string };

/** The parts of a pattern, with their colons. */
type Part<Pattern extends string> = Pattern extends `${infer One}.${infer Other}`
  ? Part<One> | Part<Other>
  : Pattern extends `${infer One}/${infer Other}`
    ? Part<One> | Part<Other>
    : Pattern extends `${infer One} ${infer Other}`
      ? Part<One> | Part<Other>
      : Pattern;

type NameIn<Text extends string> = Text extends `:${infer Rest}`
  ? Rest extends `${infer Name}:${infer More}`
    ? Name | NameIn<More>
    : Rest
  : Text extends `${string}::${infer Rest}`
    ? NameIn<`:${Rest}`>
    : never;

/**
 * A pattern of room names. `:name` at the start of a part matches a whole part, and everything else
 * only itself. `.`, `:`, `/` and a space end a part.
 */
export class RoomPattern {
  /** The names of the parameters, in their order. */
  private readonly names: readonly string[];
  private readonly expression: RegExp;

  /**
   * @param path the option that has the pattern
   * @throws SseOptionsError
   */
  constructor(
    path: string,
    readonly text: string,
  ) {
    checkPattern(path, text);
    this.names = Array.from(text.matchAll(PARAMETER), ([, name = '']) => name);
    const repeated = this.names.find((name, n) => this.names.indexOf(name) !== n);
    if (repeated !== undefined) {
      throw wrong(path, text, `has the parameter ":${repeated}" twice; rename one`);
    }
    const literals = text.split(PARAMETER).filter((_text, n) => n % 2 === 0);
    const source = literals.map((literal) => literal.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
    this.expression = new RegExp(`^${source.join('([^.:/ ]+)')}$`);
  }

  /** Whether it is the name of one room. */
  get isName(): boolean {
    return this.names.length === 0;
  }

  /** The values of the parameters; `undefined` for a room that does not match. */
  match(room: string): AnyParams | undefined {
    const found = this.expression.exec(room);
    if (found === null) return undefined;
    return Object.fromEntries(this.names.map((name, n) => [name, found[n + 1] ?? '']));
  }
}

/** A parameter, at the start of a part. */
const PARAMETER = /(?<=^|[.:/ ]):([A-Za-z_]\w*)/g;

/** Something that looks like a parameter, but does not begin a part, or does not end with one. */
const MISPLACED = /(?<=[!-\-;-@[-^`{-~]):[A-Za-z_]\w*|(?<=^|[.:/ ]):[A-Za-z_]\w*(?![\w.:/ ]|$)[^]/;

function checkPattern(path: string, text: unknown): void {
  if (typeof text !== 'string' || text === '' || text.length > MAX_LENGTH) {
    throw new SseOptionsError(path, `a pattern of 1 to ${MAX_LENGTH} characters`, text);
  }
  if (text.includes('*')) {
    throw wrong(path, text, 'has a "*", which matches nothing else; write ":name" for a part');
  }
  if (isReserved(text)) {
    throw wrong(path, text, 'is of rooms that are reserved for the library; choose others');
  }
  const [misplaced] = MISPLACED.exec(text) ?? [];
  if (misplaced === undefined) return;
  const remedy = 'a parameter is a whole part, between ".", ":", "/" or spaces';
  throw wrong(path, text, `has ${JSON.stringify(misplaced)} within a part; ${remedy}`);
}

function wrong(path: string, text: string, problem: string): SseOptionsError {
  const what = `the pattern ${JSON.stringify(text)} ${problem}`;
  return new SseOptionsError(path, 'a pattern of room names', text, what);
}
