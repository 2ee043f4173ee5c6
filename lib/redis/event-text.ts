import type { Position } from '../cursor.js';
import type { LoggedEvent } from '../event.js';
import type { NewEvent } from '../event-log.js';
import type { FrameParts, SseMessage } from '../frame.js';

/** How the data became its text, so that another process gets it back. */
type DataForm = 'none' | 'text' | 'bytes' | 'json' | 'given';

/** What precedes the wire text: rooms, form, how long the part before the id is, and data that the text does not tell. */
type Head = readonly [
  rooms: readonly string[],
  form: DataForm,
  beforeIdLength: number,
  data?: unknown,
];

/** An event as Redis keeps and carries it: one line of JSON, then its wire text, which no process has to make again. */
export function encodeEvent(
  { rooms, message, parts }: Pick<NewEvent, 'rooms' | 'message' | 'parts'>,
  hasOwnSerializer: boolean,
): string {
  const { beforeId, afterId } = parts;
  const form = formOf(message.data, hasOwnSerializer);
  const head: Head =
    form === 'given'
      ? [rooms, form, beforeId.length, message.data]
      : [rooms, form, beforeId.length];
  return `${headLine(head)}\n${beforeId}${afterId}`;
}

/** As it was published. What is in it is looked at when somebody reads it: most events are for nobody in this process. */
export class StoredEvent<At extends Position | undefined = Position> implements LoggedEvent {
  readonly rooms: readonly string[];
  private readonly form: DataForm;
  private readonly given: unknown;
  private readonly beforeIdAt: number;
  private readonly afterIdAt: number;
  private decoded: SseMessage | undefined;

  constructor(
    readonly epoch: string,
    readonly position: At,
    private readonly text: string,
    from = 0,
  ) {
    const end = text.indexOf('\n', from);
    const [rooms, form, length, data] = JSON.parse(text.slice(from, end)) as Head;
    this.rooms = rooms;
    this.form = form;
    this.given = data;
    this.beforeIdAt = end + 1;
    this.afterIdAt = end + 1 + length;
  }

  get parts(): FrameParts {
    const { text, beforeIdAt, afterIdAt } = this;
    return { beforeId: text.slice(beforeIdAt, afterIdAt), afterId: text.slice(afterIdAt) };
  }

  get message(): SseMessage {
    return (this.decoded ??= this.decode());
  }

  private decode(): SseMessage {
    const { beforeId, afterId } = this.parts;
    const message: SseMessage = {};
    const [type] = valuesOf('event: ', beforeId);
    if (type !== undefined) message.type = type;
    const comment = valuesOf(': ', beforeId);
    if (comment.length > 0) message.comment = comment;
    const retry = /^retry: (\d+)\n/.exec(afterId)?.[1];
    if (retry !== undefined) message.retry = Number(retry);
    if (this.form === 'given') message.data = this.given;
    else if (this.form !== 'none') message.data = dataOf(this.form, afterId);
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
  if (form === 'json') return JSON.parse(text);
  return form === 'bytes' ? Buffer.from(text, 'base64') : text;
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

/** Data that only the hub's own serializer understands stays here: other processes read the event without it. */
function headLine(head: Head): string {
  try {
    return JSON.stringify(head);
  } catch {
    return JSON.stringify(head.slice(0, 3));
  }
}
