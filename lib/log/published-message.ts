import { dataIn, dataStart, type SseMessage } from '../wire/frame.js';
import { toWellFormed } from '../ground/well-formed.js';
import { sizeOfText } from './heap-size.js';

/**
 * A message as it was when it was published, whatever its publisher does to its objects afterwards.
 * Data is read back from the wire text when somebody looks at it, so it costs those who look, and a
 * log keeps no second copy of it. It is what JSON or base64 makes of it, in memory as in any other
 * log: a `Date` is a text, a `Map` is `{}`.
 */
export class PublishedMessage implements SseMessage {
  declare readonly data?: unknown;
  declare readonly type?: string;
  declare readonly retry?: number;
  declare readonly comment?: string | readonly string[];
  /** The wire text that the data is read from, without its id; of a large event its UTF-8. */
  #text: string | Buffer = '';
  readonly #form: 'text' | 'bytes' | 'json' = 'json';
  readonly #isEmbedded: boolean = false;

  constructor({ type, data, retry, comment }: SseMessage, body: string, customSerializer: boolean) {
    if (type !== undefined) this.type = type;
    if (retry !== undefined) this.retry = retry;
    if (comment !== undefined) this.comment = copied(comment);
    if (data === undefined) return;
    if (typeof data === 'string' && data.includes('\r')) {
      // On the wire every line break is the same.
      this.data = toWellFormed(data);
      this.#isEmbedded = true;
      return;
    }
    if (typeof data === 'string') this.#form = 'text';
    else if (data instanceof Uint8Array) this.#form = 'bytes';
    // Nobody can read back what an own serializer has written.
    this.#isEmbedded = customSerializer && this.#form === 'json';
    const text = this.#isEmbedded ? jsonOf(data) : body;
    if (text === undefined) return;
    this.#text = text;
    Object.defineProperty(this, 'data', DATA);
  }

  /**
   * @internal How its data became the wire text; `embedded`: the wire text does not tell all of it.
   */
  static formOf(message: PublishedMessage): 'none' | 'text' | 'bytes' | 'json' | 'embedded' {
    if (!('data' in message)) return 'none';
    return message.#isEmbedded ? 'embedded' : message.#form;
  }

  /** @internal How much text it holds beside `body`, in bytes. */
  static bytesBeside(message: PublishedMessage, body: string): number {
    const text = message.#text;
    return typeof text === 'string' && text !== body ? sizeOfText(text) : 0;
  }

  /**
   * @internal The text that the data is read from is `body`: from now on it is read from these
   * bytes of it.
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
 * A property of each message itself, so that it is in a copy by spread. One getter for all: with
 * one each, making a message would take three times as long, as V8 gives each a shape of its own.
 */
const DATA: PropertyDescriptor & ThisType<PublishedMessage> = {
  get() {
    return PublishedMessage.dataOf(this);
  },
  enumerable: true,
};

/**
 * How much text a message holds beside its wire text, in bytes. Reading the data would make it hold
 * that too.
 */
export function bytesBeside(message: SseMessage, body: string): number {
  const own: unknown = Object.getOwnPropertyDescriptor(message, 'data')?.value;
  if (own !== undefined) return sizeOfText(body);
  return message instanceof PublishedMessage ? PublishedMessage.bytesBeside(message, body) : 0;
}

/**
 * A text that is JSON on the wire, as a `Date` is. A log must be able to tell it from text, which
 * stands on the wire as it is.
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
 * As a field. Data that only the hub's own serializer understands is not kept: readers get the
 * event, and its text, without it.
 */
function jsonOf(data: unknown): string | undefined {
  try {
    return `data: ${JSON.stringify(data) ?? 'null'}\n`;
  } catch {
    return undefined;
  }
}
