import { KEEP_ALIVE_COMMENT, KEEP_ALIVE_MS } from './protocol.js';

const encoder = new TextEncoder();

/** What a blank line ends: an event, or only an id. */
export interface Block {
  readonly type: string;
  /** `undefined`: there is no event. */
  readonly data: string | undefined;
  /** The id of this block; without one the last event ID stays. */
  readonly id: string | undefined;
}

/**
 * The text of an event stream as blocks. Each response needs a parser of its own, and a block that
 * the end of the response cuts never comes out. The byte order mark is left to the decoder.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class Parser {
  /** The last `retry` so far; it counts without a blank line behind it. Milliseconds. */
  retryMs: number | undefined;
  /** How often the server says that it writes at least. Milliseconds; `NaN`: never. */
  keepAliveMs = KEEP_ALIVE_MS;
  /** The pieces of a line whose end has not come: joined once, however many they are. */
  private rest: string[] = [];
  private lineBytes = 0;
  private endedInCr = false;
  private type = '';
  /** The lines of `data`; none: there is no event. */
  private data: string[] = [];
  private dataBytes = 0;
  private id: string | undefined;

  /**
   * `check` is told the bytes in UTF-8 of a line so far, and of the `data` of an event: it throws
   * where that is too much.
   */
  constructor(private readonly check: (bytes: number) => void = () => {}) {}

  /**
   * The blocks that this text completes. It may be cut anywhere, and counts only as far as its
   * blocks are taken.
   * @throws what `check` throws, behind the blocks that came before
   */
  *feed(text: string): Generator<Block, void, undefined> {
    let start = 0;
    for (const { 0: lineEnd, index } of text.matchAll(/\r\n|\r|\n/g)) {
      // The second half of a CRLF. A CR alone ends a line too, so that line did not wait for it.
      const isSecondHalf = index === 0 && lineEnd === '\n' && this.endedInCr;
      if (!isSecondHalf) {
        const line = this.whole(text.slice(start, index));
        if (line === '') yield* this.block();
        else this.field(line);
        this.lineBytes = 0;
      }
      start = index + lineEnd.length;
    }
    const piece = text.slice(start);
    this.count(piece);
    if (piece !== '') this.rest.push(piece);
    if (text !== '') this.endedInCr = text.endsWith('\r');
  }

  /** The line that this piece completes. */
  private whole(piece: string): string {
    this.count(piece);
    if (this.rest.length === 0) return piece;
    const line = this.rest.join('') + piece;
    this.rest = [];
    return line;
  }

  private count(piece: string): void {
    this.lineBytes += bytesOf(piece);
    this.check(this.lineBytes);
  }

  private field(line: string): void {
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    // One space behind the colon belongs to it.
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'data') {
      this.data.push(value);
      this.dataBytes += this.lineBytes;
      this.check(this.dataBytes);
    } else if (name === 'event') this.type = value;
    else if (name === 'id' && !value.includes('\0')) this.id = value;
    // A comment is a field without a name.
    else if (name === '')
      this.keepAliveMs = Number(KEEP_ALIVE_COMMENT.exec(value)?.[1] ?? this.keepAliveMs);
    else if (name === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
  }

  /** The block that a blank line ends, unless there is nothing in it. */
  private block(): Block[] {
    const { type, id } = this;
    const data = this.data.length === 0 ? undefined : this.data.join('\n');
    this.type = '';
    this.data = [];
    this.dataBytes = 0;
    this.id = undefined;
    return data === undefined && id === undefined ? [] : [{ type: type || 'message', data, id }];
  }
}

/**
 * Bytes in UTF-8. Few lines have other letters than ASCII, and the test costs a tenth of the
 * encoder.
 */
function bytesOf(text: string): number {
  return /[\x80-\uffff]/.test(text) ? encoder.encode(text).length : text.length;
}
