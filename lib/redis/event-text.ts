import type { Position } from '../wire/cursor.js';
import type { LoggedEvent } from '../log/event.js';
import type { NewEvent } from '../log/event-log.js';
import type { FrameParts, SseMessage } from '../wire/frame.js';
import { PublishedMessage } from '../log/published-message.js';

const FORMS = ['none', 'text', 'bytes', 'json', 'given'] as const;

/** How the data became its text, so that another process gets it back. */
type DataForm = (typeof FORMS)[number];

/** What precedes the wire text. The data and the comment are there where the wire text does not tell them. */
type Header = readonly [
  rooms: readonly string[],
  form: DataForm,
  beforeIdLength: number,
  data?: unknown,
  comment?: SseMessage['comment'],
];

/** An event as Redis keeps and carries it: one line of JSON, then its wire text, which no process has to make again. */
export function encodeEvent(
  { rooms, message, parts }: Pick<NewEvent, 'rooms' | 'message' | 'parts'>,
  hasOwnSerializer: boolean,
): string {
  const { beforeId, afterId } = parts;
  const form =
    message instanceof PublishedMessage
      ? PublishedMessage.formOf(message)
      : formOf(message.data, hasOwnSerializer);
  const data = form === 'given' ? message.data : undefined;
  const comment = isListOfLines(message.comment) ? undefined : message.comment;
  const line = headerLine([rooms, form, beforeId.length], data, comment);
  return `${line}\n${beforeId}${afterId}`;
}

/**
 * The event in `text` from `from` on; `undefined` if it is not one. Its data is looked at when somebody reads it: most events
 * are for nobody in this process.
 */
export function decodeEvent<At extends Position | undefined>(
  epoch: string,
  position: At,
  text: string,
  from = 0,
): StoredEvent<At> | undefined {
  const end = text.indexOf('\n', from);
  const header = end === -1 ? undefined : headerOf(text.slice(from, end));
  if (header === undefined || !isFrame(text, end + 1, header[2])) return undefined;
  return new StoredEvent(epoch, position, text, header, end + 1);
}

/** A published event, as it was published. */
export class StoredEvent<At extends Position | undefined = Position> implements LoggedEvent {
  private decoded: SseMessage | undefined;

  constructor(
    readonly epoch: string,
    readonly position: At,
    readonly text: string,
    private readonly header: Header,
    private readonly beforeIdAt: number,
  ) {}

  get rooms(): readonly string[] {
    return this.header[0];
  }

  get parts(): FrameParts {
    const { text, beforeIdAt } = this;
    const afterIdAt = beforeIdAt + this.header[2];
    return { beforeId: text.slice(beforeIdAt, afterIdAt), afterId: text.slice(afterIdAt) };
  }

  get message(): SseMessage {
    return (this.decoded ??= this.decode());
  }

  private decode(): SseMessage {
    const { beforeId, afterId } = this.parts;
    const [, form, , data, comment] = this.header;
    const message: SseMessage = {};
    const [type] = valuesOf('event: ', beforeId);
    if (type !== undefined) message.type = type;
    const lines = valuesOf(': ', beforeId);
    if (comment !== undefined || lines.length > 0) message.comment = comment ?? lines;
    const retry = /^retry: (\d+)\n/.exec(afterId)?.[1];
    if (retry !== undefined) message.retry = Number(retry);
    if (form === 'given') message.data = data;
    else if (form !== 'none') message.data = dataOf(form, afterId);
    return message;
  }
}

function formOf(data: unknown, hasOwnSerializer: boolean): DataForm {
  if (data === undefined) return 'none';
  // On the wire every line break is the same.
  if (typeof data === 'string') return data.includes('\r') ? 'given' : 'text';
  if (data instanceof Uint8Array) return 'bytes';
  return hasOwnSerializer ? 'given' : 'json';
}

function dataOf(form: DataForm, afterId: string): unknown {
  const text = valuesOf('data: ', afterId).join('\n');
  if (form === 'bytes') return Buffer.from(text, 'base64');
  if (form === 'text') return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Damaged, or from a program that is not ours. Clients get the text too.
    return text;
  }
}

/** A list with one line in each item is on the wire as it was published. */
function isListOfLines(comment: SseMessage['comment']): boolean {
  if (comment === undefined) return true;
  if (typeof comment === 'string') return false;
  return comment.length > 0 && comment.every((line) => !/[\r\n]/.test(line));
}

function valuesOf(prefix: string, fields: string): string[] {
  // The common case is one field: looking is cheaper than splitting.
  if (fields.startsWith(prefix) && fields.indexOf('\n') === fields.length - 2) {
    return [fields.slice(prefix.length, -2)];
  }
  return fields
    .split('\n')
    .filter((line) => line.startsWith(prefix))
    .map((line) => line.slice(prefix.length));
}

function headerLine(
  start: readonly [readonly string[], DataForm, number],
  data: unknown,
  comment: SseMessage['comment'],
): string {
  const own = comment !== undefined ? [data, comment] : data !== undefined ? [data] : [];
  try {
    return JSON.stringify([...start, ...own]);
  } catch {
    // Data that only the hub's own serializer understands stays here: other processes read the event without it.
    return JSON.stringify(comment === undefined ? start : [...start, null, comment]);
  }
}

function headerOf(line: string): Header | undefined {
  try {
    const header: unknown = JSON.parse(line);
    return Array.isArray(header) && isHeader(header) ? header : undefined;
  } catch {
    return undefined;
  }
}

function isHeader(header: readonly unknown[]): header is Header {
  const [rooms, form, length, , comment] = header;
  return (
    Array.isArray(rooms) &&
    rooms.length > 0 &&
    rooms.every((room) => typeof room === 'string' && room !== '') &&
    FORMS.some((known) => known === form) &&
    Number.isSafeInteger(length) &&
    (length as number) >= 0 &&
    (comment === undefined || isComment(comment))
  );
}

function isComment(comment: unknown): boolean {
  if (typeof comment === 'string') return true;
  return Array.isArray(comment) && comment.every((line) => typeof line === 'string');
}

/** Whether the wire text is one block, and the id goes between two of its lines: anything else would break streams. */
function isFrame(text: string, from: number, beforeIdLength: number): boolean {
  return (
    from + beforeIdLength < text.length &&
    text[from + beforeIdLength - 1] === '\n' &&
    text.indexOf('\n\n', from - 1) === text.length - 2 &&
    text.indexOf('\r', from) === -1
  );
}
