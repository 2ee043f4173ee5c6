/**
 * The stable code of an `SseError`. Compare codes, not messages.
 * - `SSE_INVALID_FIELD`: the event stream cannot carry a value.
 * - `SSE_INVALID_EVENT`: an event is not in the contract, or its data is not what the contract
 *   says.
 * - `SSE_SERIALIZE`: data has no text form.
 * - `SSE_CLOSED`: the connection or the hub has ended.
 * - `SSE_LIMIT`: a limit is exceeded.
 * - `SSE_CONFLICT`: the condition of a `set()` or `delete()` does not hold.
 * - `SSE_ROOMS`: the rooms of a stream were not changed.
 * - `SSE_RUN`: a run was not started or stopped.
 * - `SSE_OVERFLOW`: a subscription without a connection fell too far behind.
 * - `SSE_LOG_UNAVAILABLE`: the event log, such as Redis, cannot be reached.
 * - `SSE_NOT_STREAMABLE`: the handler, or something around it, does not allow a stream.
 * - `SSE_OPTIONS`: an option is wrong.
 * @publicApi
 */
export type SseErrorCode =
  | 'SSE_INVALID_FIELD'
  | 'SSE_INVALID_EVENT'
  | 'SSE_SERIALIZE'
  | 'SSE_CLOSED'
  | 'SSE_LIMIT'
  | 'SSE_CONFLICT'
  | 'SSE_ROOMS'
  | 'SSE_RUN'
  | 'SSE_OVERFLOW'
  | 'SSE_LOG_UNAVAILABLE'
  | 'SSE_NOT_STREAMABLE'
  | 'SSE_OPTIONS';

/**
 * The base class of all errors of this library. The `code` is stable, subclasses have the facts as
 * properties, and the message says what to do.
 * @publicApi
 */
export class SseError extends Error {
  override readonly name = 'SseError';

  constructor(
    readonly code: SseErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * The event stream cannot carry a value. Nothing of the message was sent.
 * @publicApi
 */
export class SseInvalidFieldError extends SseError {
  constructor(
    /** The field of the message, or `message`, `room` or `key`. */
    readonly field: string,
    readonly value: unknown,
    remedy: string,
  ) {
    super('SSE_INVALID_FIELD', `${field}: ${remedy} (got ${preview(value)})`);
  }
}

/**
 * What a contract's schema says about a value.
 * @publicApi
 */
export interface SchemaProblem {
  /** Where in the data, such as `items.0.no`; `''` for the data itself. */
  readonly path: string;
  /** What the schema library says. */
  readonly message: string;
}

/**
 * An event is not in its contract, or the contract's schema refuses its data. Nothing of it was
 * sent.
 * @publicApi
 */
export class SseInvalidEventError extends SseError {
  constructor(
    /** The type of the event; `message` for one without a type. */
    readonly type: string,
    readonly problems: readonly SchemaProblem[],
  ) {
    const told = problems.slice(0, MAX_PROBLEMS).map(problemText);
    if (problems.length > told.length) told.push(`and ${problems.length - told.length} more`);
    super(
      'SSE_INVALID_EVENT',
      `event ${preview(type)} is not what its contract says: ${told.join('; ')}`,
    );
  }
}

/** How many problems go into a message. */
const MAX_PROBLEMS = 5;

/** A problem as text, such as `no: expected a number`. */
export function problemText({ path, message }: SchemaProblem): string {
  return path === '' ? message : `${path}: ${message}`;
}

/**
 * Data has no text form: it holds a cycle, a BigInt or a function, or `serialize` threw. `cause` is
 * the original error, if there is one.
 * @publicApi
 */
export class SseSerializeError extends SseError {
  constructor(
    readonly type: string | undefined,
    reason: string,
    options?: ErrorOptions,
  ) {
    const which = type === undefined ? 'data' : `data of "${type}"`;
    super(
      'SSE_SERIALIZE',
      `${which}: ${reason}; send plain JSON values, or set \`serialize\``,
      options,
    );
  }
}

/**
 * The connection or the hub has ended, so the call had no effect.
 * @publicApi
 */
export class SseClosedError extends SseError {
  constructor(what: string) {
    super('SSE_CLOSED', `${what} is closed; stop using it`);
  }
}

/**
 * A limit is exceeded.
 * @publicApi
 */
export class SseLimitError extends SseError {
  constructor(
    /**
     * The option in `limits`, for example `maxPerRoom`; `state.maxKeys` or `state.maxBytes`;
     * `maxBytes` of a run; or `maxHubStreams`, which is fixed.
     */
    readonly limit: string,
    readonly max: number,
    remedy: string,
    { isOption = true } = {},
  ) {
    super('SSE_LIMIT', `${isOption ? 'limits.' : ''}${limit} is ${max}: ${remedy}`);
  }
}

/**
 * The condition of a `set()` or `delete()` of a state room does not hold. Nothing was changed.
 * @publicApi
 */
export class SseConflictError extends SseError {
  constructor(
    readonly room: string,
    readonly key: string,
    /** The position that the entry has now; `undefined` if there is no entry. */
    readonly position: string | undefined,
  ) {
    const now = position === undefined ? 'does not exist' : `is at position ${position} now`;
    super(
      'SSE_CONFLICT',
      `the entry ${preview(key)} of room ${preview(room)} ${now}: read it again, and repeat the change`,
    );
  }
}

/**
 * The handler, or something around it, does not allow an event stream.
 * @publicApi
 */
export class SseNotStreamableError extends SseError {
  constructor(reason: string) {
    super('SSE_NOT_STREAMABLE', reason);
  }
}

/**
 * An option has a wrong value.
 * @publicApi
 */
export class SseOptionsError extends SseError {
  constructor(
    /** The path of the option, for example `keepAlive.intervalMs`. */
    readonly path: string,
    readonly expected: string,
    readonly value: unknown,
    /** Replaces the sentence about the expected and the actual value. */
    problem = `expected ${expected}, got ${preview(value)}`,
  ) {
    super('SSE_OPTIONS', `${path}: ${problem}`);
  }
}

const MAX_PREVIEW_LENGTH = 80;
/** The limit for the message of a foreign error. */
const MAX_MESSAGE_LENGTH = 300;

/** A value as text for a message: short and on one line. Never throws. */
export function preview(value: unknown): string {
  try {
    return shorten(nameOf(value));
  } catch {
    return 'a value that cannot be shown';
  }
}

function nameOf(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'string' ? JSON.stringify(value) : String(value);
  }
  if (Array.isArray(value) && value.length === 0) return 'an empty array';
  const name = Array.isArray(value) ? 'array' : (value.constructor?.name ?? 'Object');
  if (name !== 'Object') return `an ${name}`;
  if (value.constructor === undefined) return 'an object';
  return `an object with ${Object.keys(value).join(', ') || 'no keys'}`;
}

/** A thrown value as text for a message: short and on one line. Never throws. */
export function describe(thrown: unknown): string {
  try {
    return messageOf(thrown, MAX_NESTED_ERRORS) ?? preview(thrown);
  } catch {
    // A getter or a proxy threw.
    return preview(thrown);
  }
}

/** The thrown value, or an `Error` if inspecting it throws, as for a revoked proxy. */
export function readable(thrown: unknown): unknown {
  try {
    void (thrown instanceof Error);
    return thrown;
  } catch {
    return new Error('the thrown value cannot be read');
  }
}

/** An `AggregateError` has no message, and may contain another one, or itself. */
const MAX_NESTED_ERRORS = 5;

function messageOf(thrown: unknown, depth: number): string | undefined {
  // Not `instanceof`: an error may come from another realm.
  const { name, message, errors, code } = Object(thrown) as Record<string, unknown>;
  if (typeof message === 'string' && message !== '') {
    // Our own messages end with the remedy.
    return name === 'SseError' ? message : shorten(message, MAX_MESSAGE_LENGTH);
  }
  if (depth > 0 && Array.isArray(errors) && errors.length > 0) {
    return messageOf(errors[0], depth - 1) ?? preview(errors[0]);
  }
  return typeof code === 'string' ? code : undefined;
}

function shorten(text: string, max = MAX_PREVIEW_LENGTH): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length <= max ? line : `${line.slice(0, max - 3)}… (${line.length} characters)`;
}
