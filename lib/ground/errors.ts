/**
 * What programs may switch on; the message is for people.
 * @publicApi
 */
export type SseErrorCode =
  | 'SSE_INVALID_FIELD'
  | 'SSE_SERIALIZE'
  | 'SSE_CLOSED'
  | 'SSE_LIMIT'
  | 'SSE_OVERFLOW'
  | 'SSE_LOG_UNAVAILABLE'
  | 'SSE_NOT_STREAMABLE'
  | 'SSE_OPTIONS';

/**
 * Every error of this library: a stable `code`, the facts as properties of the subclass, the remedy
 * in the message.
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
 * A value that the event stream cannot carry; nothing of it was written.
 * @publicApi
 */
export class SseInvalidFieldError extends SseError {
  constructor(
    /** The field of the message, or `room`, or `lastEventId`. */
    readonly field: string,
    readonly value: unknown,
    remedy: string,
  ) {
    super('SSE_INVALID_FIELD', `${field}: ${remedy}, got ${preview(value)}`);
  }
}

/**
 * Data without a text form: a cycle, a BigInt, a function, or a `serialize` that threw (see
 * `cause`).
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
 * The connection or the hub has ended; what was asked of it did not happen.
 * @publicApi
 */
export class SseClosedError extends SseError {
  constructor(what: string) {
    super('SSE_CLOSED', `${what} is closed; stop using it`);
  }
}

/**
 * More than one of the `limits` allows.
 * @publicApi
 */
export class SseLimitError extends SseError {
  constructor(
    /**
     * The name of the option, for example `maxPerRoom`; or `maxHubStreams`, which cannot be set.
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
 * The result or the place of a handler does not allow an event stream.
 * @publicApi
 */
export class SseNotStreamableError extends SseError {
  constructor(reason: string) {
    super('SSE_NOT_STREAMABLE', reason);
  }
}

/**
 * A wrong option: its path, what was expected and what came.
 * @publicApi
 */
export class SseOptionsError extends SseError {
  constructor(
    /** For example `keepAlive.intervalMs`. */
    readonly path: string,
    readonly expected: string,
    readonly value: unknown,
    /** What to say instead of the value. */
    problem = `expected ${expected}, got ${preview(value)}`,
  ) {
    super('SSE_OPTIONS', `${path}: ${problem}`);
  }
}

const MAX_PREVIEW_LENGTH = 80;
/** Of an error's message, which ends with the remedy. */
const MAX_MESSAGE_LENGTH = 300;

/** A value for a message: short, on one line, never throws. */
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

/** What somebody threw, as a text for a message: short, on one line, never throws. */
export function describe(thrown: unknown): string {
  try {
    return messageOf(thrown, MAX_NESTED_ERRORS) ?? preview(thrown);
  } catch {
    // A getter or a proxy threw.
    return preview(thrown);
  }
}

/**
 * What was thrown, unless it is a value that throws when somebody looks at it, such as a revoked
 * proxy.
 */
export function readable(thrown: unknown): unknown {
  try {
    void (thrown instanceof Error);
    return thrown;
  } catch {
    return new Error('the thrown value cannot be read');
  }
}

/** An `AggregateError` has no text of its own, and may hold another one, or itself. */
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
