import type { Position } from '../wire/cursor.js';
import { dataStart, type SseMessage } from '../wire/frame.js';
import type { LoggedEvent } from './event.js';
import type { NewEvent } from './event-log.js';
import { PublishedMessage } from './published-message.js';

const FORMS = ['none', 'text', 'bytes', 'json', 'embedded'] as const;

/** How the data was encoded, so that another process can decode it. */
type DataForm = (typeof FORMS)[number];

/**
 * The first line of a stored event. It has the data and the comment only if the wire text does not
 * hold all of them.
 */
type EventHeader = readonly [
  rooms: readonly string[],
  form: DataForm,
  data?: unknown,
  comment?: SseMessage['comment'] | null,
  except?: string,
];

/**
 * The text of an event in Redis and in notices: one line of JSON, then the body. Processes send the
 * body as it is, without encoding the event again.
 */
export function encodeEvent(
  { rooms, message, body, except }: Pick<NewEvent, 'rooms' | 'message' | 'body' | 'except'>,
  customSerializer: boolean,
): string {
  const form =
    message instanceof PublishedMessage
      ? PublishedMessage.formOf(message)
      : formOf(message.data, customSerializer);
  const data = form === 'embedded' ? message.data : undefined;
  const comment = isListOfLines(message.comment) ? undefined : message.comment;
  return `${headerLine([rooms, form], data, comment, except)}\n${body}`;
}

/**
 * Decodes the event in `text` from `from` on; `undefined` if it is not one. Data is decoded only
 * when it is read: most events have no subscription in this process.
 */
export function decodeEvent<At extends Position | undefined>(
  epoch: string,
  position: At,
  text: string,
  from = 0,
): StoredEvent<At> | undefined {
  const end = text.indexOf('\n', from);
  const header = end === -1 ? undefined : headerOf(text.slice(from, end));
  if (header === undefined || !isBody(text, end + 1)) return undefined;
  return new StoredEvent(epoch, position, text, header, end + 1);
}

/**
 * What the wire text of a message does not say: how its data was encoded, and the data and comment
 * if the wire text does not hold all of them. Empty for most messages.
 */
export type StoredForm = readonly [form?: DataForm, data?: unknown, comment?: EventHeader[3]];

/** The form of a message that was published. */
export function storedForm(message: SseMessage): StoredForm {
  const form =
    message instanceof PublishedMessage
      ? PublishedMessage.formOf(message)
      : formOf(message.data, false);
  const data = form === 'embedded' ? message.data : undefined;
  const comment = isListOfLines(message.comment) ? undefined : message.comment;
  if (comment !== undefined) return [form, data, comment];
  if (data !== undefined) return [form, data];
  return form === 'json' ? [] : [form];
}

/** A published event, decoded when it is read. */
export class StoredEvent<At extends Position | undefined = Position> implements LoggedEvent {
  private decoded: SseMessage | undefined;

  constructor(
    readonly epoch: string,
    readonly position: At,
    readonly text: string,
    private readonly header: EventHeader,
    private readonly bodyAt: number,
  ) {}

  /** The event with this wire text, without a header. */
  static ofForm(
    epoch: string,
    position: Position,
    rooms: readonly string[],
    body: string,
    [form, data, comment]: StoredForm,
  ): StoredEvent {
    return new StoredEvent(epoch, position, body, [rooms, form ?? 'json', data, comment], 0);
  }

  get rooms(): readonly string[] {
    return this.header[0];
  }

  get except(): string | undefined {
    return this.header[4];
  }

  get body(): string {
    return this.text.slice(this.bodyAt);
  }

  get message(): SseMessage {
    return (this.decoded ??= this.decode());
  }

  private decode(): SseMessage {
    const { body } = this;
    const [, form, data, comment] = this.header;
    const message: SseMessage = {};
    const at = dataStart(body);
    const others = at === -1 ? body : body.slice(0, at);
    const [type] = valuesOf('event: ', others);
    if (type !== undefined) message.type = type;
    const lines = valuesOf(': ', others);
    if (comment != null || lines.length > 0) message.comment = comment ?? lines;
    const [retry] = valuesOf('retry: ', others);
    if (retry !== undefined && /^\d+$/.test(retry)) message.retry = Number(retry);
    if (form === 'embedded') message.data = data;
    else if (form !== 'none') message.data = dataOf(form, at === -1 ? '' : body.slice(at));
    return message;
  }
}

function formOf(data: unknown, customSerializer: boolean): DataForm {
  if (data === undefined) return 'none';
  // The wire text does not distinguish CR from LF.
  if (typeof data === 'string') return data.includes('\r') ? 'embedded' : 'text';
  if (data instanceof Uint8Array) return 'bytes';
  return customSerializer ? 'embedded' : 'json';
}

function dataOf(form: DataForm, fields: string): unknown {
  const text = valuesOf('data: ', fields).join('\n');
  if (form === 'bytes') return Buffer.from(text, 'base64');
  if (form === 'text') return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Damaged, or from another program. Clients get the text as well.
    return text;
  }
}

/** The wire text holds a list of single lines exactly as it was published. */
function isListOfLines(comment: SseMessage['comment']): boolean {
  if (comment === undefined) return true;
  if (typeof comment === 'string') return false;
  return comment.length > 0 && comment.every((line) => !/[\r\n]/.test(line));
}

function valuesOf(prefix: string, fields: string): string[] {
  // Most texts have one field, and searching is cheaper than splitting.
  if (fields.indexOf('\n') === fields.length - 1) {
    return fields.startsWith(prefix) ? [fields.slice(prefix.length, -1)] : [];
  }
  return fields
    .split('\n')
    .filter((line) => line.startsWith(prefix))
    .map((line) => line.slice(prefix.length));
}

function headerLine(
  start: readonly [readonly string[], DataForm],
  data: unknown,
  comment: SseMessage['comment'],
  except: string | undefined,
): string {
  try {
    return JSON.stringify([...start, ...trimmed(data, comment, except)]);
  } catch {
    // Only the custom serializer can handle this data. Other processes get the event and its wire
    // text, but no `data`.
    return JSON.stringify([...start, ...trimmed(undefined, comment, except)]);
  }
}

/** Without what is missing at the end: most events have none of these. */
function trimmed(...fields: unknown[]): unknown[] {
  while (fields.length > 0 && fields.at(-1) === undefined) fields.pop();
  return fields;
}

function headerOf(line: string): EventHeader | undefined {
  try {
    const header: unknown = JSON.parse(line);
    return Array.isArray(header) && isHeader(header) ? header : undefined;
  } catch {
    return undefined;
  }
}

function isHeader(header: readonly unknown[]): header is EventHeader {
  const [rooms, form, , comment, except] = header;
  return (
    Array.isArray(rooms) &&
    rooms.length > 0 &&
    rooms.every((room) => typeof room === 'string' && room !== '') &&
    FORMS.some((known) => known === form) &&
    (comment === undefined || comment === null || isComment(comment)) &&
    (except === undefined || typeof except === 'string')
  );
}

function isComment(comment: unknown): boolean {
  if (typeof comment === 'string') return true;
  return Array.isArray(comment) && comment.every((line) => typeof line === 'string');
}

/**
 * Whether the text consists of whole lines, none of them blank, so that an id can follow. Anything
 * else would break streams.
 */
function isBody(text: string, from: number): boolean {
  return (
    from < text.length &&
    text.endsWith('\n') &&
    text.indexOf('\n\n', from - 1) === -1 &&
    text.indexOf('\r', from) === -1
  );
}
