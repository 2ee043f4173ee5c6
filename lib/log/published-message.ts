import { dataIn, dataStart, type SseMessage } from '../wire/frame.js';
import { toWellFormed } from '../ground/well-formed.js';
import { sizeOfText } from './heap-size.js';

/**
 * A message as it was at the time of publishing, whatever the publisher does to its objects later.
 * `data` is parsed from the wire text when it is read, so a log keeps no second copy and only
 * readers pay. Readers get what JSON or base64 made of the data, the same from every log: a `Date`
 * is a text, a `Map` is `{}`.
 */
export class PublishedMessage implements SseMessage {
  declare readonly data?: unknown;
  declare readonly type?: string;
  declare readonly retry?: number;
  declare readonly comment?: string | readonly string[];
  /** The wire text without its id, from which `data` is read. UTF-8 bytes if the event is large. */
  #text: string | Buffer = '';
  readonly #form: 'text' | 'bytes' | 'json' = 'json';
  readonly #isEmbedded: boolean = false;

  constructor({ type, data, retry, comment }: SseMessage, body: string, customSerializer: boolean) {
    if (type !== undefined) this.type = type;
    if (retry !== undefined) this.retry = retry;
    if (comment !== undefined) this.comment = copied(comment);
    if (data === undefined) return;
    if (typeof data === 'string' && data.includes('\r')) {
      // The wire text does not distinguish CR from LF, so this text is kept as it is.
      this.data = toWellFormed(data);
      this.#isEmbedded = true;
      return;
    }
    if (typeof data === 'string') this.#form = 'text';
    else if (data instanceof Uint8Array) this.#form = 'bytes';
    // The text of a custom serializer cannot be parsed back, so the data is kept as JSON.
    this.#isEmbedded = customSerializer && this.#form === 'json';
    const text = this.#isEmbedded ? jsonOf(data) : body;
    if (text === undefined) return;
    this.#text = text;
    Object.defineProperty(this, 'data', DATA);
  }

  /** The message of a wire text that has a type at most, and data as JSON. */
  static ofJson(type: string | undefined, body: string): PublishedMessage {
    const message = type === undefined ? { data: null } : { type, data: null };
    return new PublishedMessage(message, body, false);
  }

  /** @internal Whether it is what `ofJson()` makes of its wire text. */
  static isJsonOf(message: SseMessage, body: string): boolean {
    if (!(message instanceof PublishedMessage) || message.#text !== body) return false;
    const { retry, comment } = message;
    const hasOthers = message.#isEmbedded || retry !== undefined || comment !== undefined;
    return message.#form === 'json' && !hasOthers;
  }

  /** @internal How the wire text encodes the data. `embedded`: it does not hold all of it. */
  static formOf(message: PublishedMessage): 'none' | 'text' | 'bytes' | 'json' | 'embedded' {
    if (!('data' in message)) return 'none';
    return message.#isEmbedded ? 'embedded' : message.#form;
  }

  /** @internal The bytes of text it holds in addition to `body`. */
  static bytesBeside(message: PublishedMessage, body: string): number {
    const text = message.#text;
    return typeof text === 'string' && text !== body ? sizeOfText(text) : 0;
  }

  /**
   * @internal Replaces `body`, if the data is read from it, by its bytes. The text can then be
   * freed.
   */
  static pack(message: PublishedMessage, body: string, bytes: Buffer): void {
    if (message.#text === body) message.#text = bytes;
  }

  /** @internal */
  static dataOf(message: PublishedMessage): unknown {
    const body = message.#text.toString();
    const text = dataIn(body.slice(dataStart(body)));
    if (message.#form === 'text') return toWellFormed(text);
    if (message.#form === 'bytes') return Buffer.from(text, 'base64');
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? new JsonText(value) : value;
  }
}

/**
 * An own property of each message, so that spreading a message copies it. All share one getter:
 * with one each, V8 gives each message its own shape, and making one takes three times as long.
 */
const DATA: PropertyDescriptor & ThisType<PublishedMessage> = {
  get() {
    return PublishedMessage.dataOf(this);
  },
  enumerable: true,
};

/**
 * The bytes of text that a message holds in addition to its wire text. Does not read `data`, which
 * would parse it.
 */
export function bytesBeside(message: SseMessage, body: string): number {
  const own: unknown = Object.getOwnPropertyDescriptor(message, 'data')?.value;
  if (own !== undefined) return sizeOfText(body);
  return message instanceof PublishedMessage ? PublishedMessage.bytesBeside(message, body) : 0;
}

/**
 * Text that the wire holds as JSON, as it does for a `Date`. The class lets a log distinguish it
 * from plain text, which is on the wire without quotes.
 */
export class JsonText {
  constructor(readonly text: string) {}

  toJSON(): string {
    return this.text;
  }
}

function copied(comment: string | readonly string[]): string | readonly string[] {
  return typeof comment === 'string' ? toWellFormed(comment) : comment.map(toWellFormed);
}

/**
 * The data as a data field. `undefined` if only the custom serializer can handle it: readers then
 * get the event and its wire text, but no `data`.
 */
function jsonOf(data: unknown): string | undefined {
  try {
    return `data: ${JSON.stringify(data) ?? 'null'}\n`;
  } catch {
    return undefined;
  }
}
