import { describe, SseInvalidFieldError, SseSerializeError } from '../ground/errors.js';
import { isWellFormed, toWellFormed } from '../ground/well-formed.js';

/**
 * A message to a client: one block of the event stream. The client fires an event if the message
 * has `data` or a `type`. Otherwise it only sets the last event ID or the reconnection time, or is
 * a comment.
 * @publicApi
 */
export interface SseMessage<Data = unknown> {
  /**
   * The data: a string is sent as it is, bytes as base64, everything else as JSON. Line breaks are
   * kept. A lone surrogate becomes U+FFFD. `undefined`: empty data if there is a type, else no
   * data.
   */
  data?: Data;
  /** The event type (`event` on the wire). Without one the client fires `message`. */
  type?: string;
  /** The event ID, which a returning client sends as its last event ID. */
  id?: string | number;
  /** The reconnection time of the client: milliseconds, an integer of at least 0. */
  retry?: number;
  /** A comment, or one comment per element. Clients ignore it. */
  comment?: string | readonly string[];
}

/**
 * Turns data that is neither text nor bytes into text, instead of JSON. Must be synchronous. If it
 * throws, the message fails with `SSE_SERIALIZE`.
 * @example `serialize: (data) => JSON.stringify(instanceToPlain(data))`
 * @publicApi
 */
export type Serialize = (data: unknown, type?: string) => string;

/**
 * The wire text of one message: comments, `event`, `retry`, `data`, `id`, a blank line. The id
 * comes last, because some clients store an id before its block is complete:
 * docs/decisions/016-id-last.md. Invalid fields are refused, never stripped.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 * @throws SseInvalidFieldError, SseSerializeError
 */
export function encodeFrame(message: SseMessage, serialize?: Serialize): string {
  return frameOf(encodeBody(message, serialize), message.id);
}

/**
 * A frame without its id and its blank line. A hub's event gets its id, the position, only later
 * from the log.
 */
export function encodeBody(message: SseMessage, serialize: Serialize = toJson): string {
  refuseUnknownFields(message);
  const { comment, type, retry, data } = message;
  let body = comment === undefined ? '' : commentLines(comment);
  if (type !== undefined) body += `event: ${singleLine('type', type)}\n`;
  if (retry !== undefined) body += `retry: ${milliseconds(retry)}\n`;
  if (data !== undefined) body += dataFields(toText(data, type, serialize));
  // Without a data field, a client fires no event, whatever the type.
  else if (type !== undefined) body += dataFields('');
  return body;
}

/** Completes a body from `encodeBody()` with its id and the blank line. */
export function frameOf(body: string, id?: string | number): string {
  return id === undefined ? `${body}\n` : `${body}${idField(id)}\n`;
}

function idField(id: string | number): string {
  return `id: ${singleLine('id', Number.isFinite(id) ? String(id) : id)}\n`;
}

/** Each line of the text becomes a comment line. */
export function commentLines(comment: string | readonly string[]): string {
  const lines: unknown = typeof comment === 'string' ? [comment] : comment;
  if (!Array.isArray(lines)) {
    throw new SseInvalidFieldError('comment', comment, 'expected a string or an array of strings');
  }
  let text = '';
  for (const line of lines as unknown[]) {
    if (typeof line !== 'string') {
      throw new SseInvalidFieldError('comment', line, 'expected a string or an array of strings');
    }
    text += prefixLines(': ', toWellFormed(line));
  }
  return text;
}

const FIELDS = new Set(['data', 'type', 'id', 'retry', 'comment']);
const NO_FIELD = 'not a field of a message; put the object into `data`, or set the option `map`';
/** The wire calls it `event`, so this is the most common mistake. */
const NAME_IS_TYPE =
  'not a field of a message; name the event in `type`, and put your own object into `data`';

function refuseUnknownFields(message: SseMessage): void {
  let known = false;
  for (const field in message) {
    if (!FIELDS.has(field)) {
      throw new SseInvalidFieldError(field, message, field === 'event' ? NAME_IS_TYPE : NO_FIELD);
    }
    const value = message[field as keyof SseMessage];
    known ||=
      value !== undefined && !(Array.isArray(value) && field === 'comment' && value.length === 0);
  }
  if (!known) {
    const remedy = 'expected at least one of data, type, id, retry, comment';
    throw new SseInvalidFieldError('message', message, remedy);
  }
}

/** Refuses line breaks, which would inject fields, and NUL, which makes clients ignore an `id`. */
function singleLine(field: 'id' | 'type', value: unknown): string {
  if (typeof value !== 'string') {
    throw new SseInvalidFieldError(field, value, 'expected a string; convert it with String()');
  }
  if (/[\r\n\0]/.test(value)) {
    const remedy = 'must not contain CR, LF or NUL; encode it, for example as base64url';
    throw new SseInvalidFieldError(field, value, remedy);
  }
  // UTF-8 would turn it into U+FFFD: the client would get another type, or return with another id.
  if (!isWellFormed(value)) {
    const remedy =
      'must not contain a lone surrogate; encode it, for example with JSON.stringify()';
    throw new SseInvalidFieldError(field, value, remedy);
  }
  return value;
}

function milliseconds(retry: unknown): number {
  if (!Number.isSafeInteger(retry) || (retry as number) < 0) {
    throw new SseInvalidFieldError(
      'retry',
      retry,
      'expected milliseconds, an integer of at least 0',
    );
  }
  return retry as number;
}

function toText(data: unknown, type: string | undefined, serialize: Serialize): string {
  if (typeof data === 'string') return toWellFormed(data);
  if (isBytes(data)) return toBase64(data);
  if (data instanceof Blob) {
    const remedy = 'a Blob cannot be read synchronously, so send `await blob.arrayBuffer()`';
    throw new SseSerializeError(type, remedy);
  }
  let text: unknown;
  try {
    text = serialize(data, type);
  } catch (cause) {
    throw new SseSerializeError(type, describe(cause), { cause });
  }
  if (typeof text !== 'string') {
    throw new SseSerializeError(type, `a value of type ${typeof data} has no text form`);
  }
  return serialize === toJson ? text : toWellFormed(text);
}

type Bytes = ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

/** True for every kind of bytes that is sent as base64. */
export function isBytes(value: unknown): value is Bytes {
  return (
    ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer
  );
}

function toBase64(bytes: Bytes): string {
  const buffer = ArrayBuffer.isView(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : Buffer.from(bytes);
  return buffer.toString('base64');
}

/**
 * The default `serialize`. Its text is always well-formed, because JSON escapes lone surrogates.
 */
export const toJson: Serialize = (data) => JSON.stringify(data);

const DATA_FIELD = 'data: ';

function dataFields(text: string): string {
  return prefixLines(DATA_FIELD, text);
}

/** The offset of the data fields, which come last in a body; -1 if there are none. */
export function dataStart(body: string): number {
  if (body.startsWith(DATA_FIELD)) return 0;
  const lineBreak = body.indexOf(`\n${DATA_FIELD}`);
  return lineBreak === -1 ? -1 : lineBreak + 1;
}

/** Reads the data back from the data fields of a body, which begin at `dataStart()`. */
export function dataIn(fields: string): string {
  const text = fields.slice(DATA_FIELD.length, -1);
  return text.includes('\n') ? text.replaceAll(`\n${DATA_FIELD}`, '\n') : text;
}

/** CRLF, LF and CR each end a line of an event stream, so every line needs its own prefix. */
function prefixLines(prefix: string, text: string): string {
  // Most texts have one line, and searching is cheaper than replacing.
  if (!text.includes('\n') && !text.includes('\r')) return `${prefix}${text}\n`;
  return `${prefix}${text.replace(/\r\n|\r|\n/g, `\n${prefix}`)}\n`;
}
