import { KEEP_ALIVE_COMMENT, KEEP_ALIVE_MS } from './protocol.js';

const encoder = new TextEncoder();

/** What a blank line completes: an event, or only an id. */
export interface Block {
  readonly type: string;
  /** `undefined` if the block fires no event. */
  readonly data: string | undefined;
  /** `undefined` if the block has no id. The last event ID then stays. */
  readonly id: string | undefined;
}

/**
 * Parses the text of one event stream into blocks. Each response needs its own parser, and a block
 * that the end of a response cuts off is never returned. The decoder handles the byte order mark.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class Parser {
  /** The newest `retry`, in milliseconds. It counts as soon as its line has ended. */
  retryMs: number | undefined;
  /** The server's announced keep-alive interval, in milliseconds. `NaN` if it sends none. */
  keepAliveMs = KEEP_ALIVE_MS;
  /** The pieces of an unfinished line. Joining them one by one would take quadratic time. */
  private rest: string[] = [];
  private lineBytes = 0;
  private endedInCr = false;
  private type = '';
  /** The lines of `data`. Empty: the block fires no event. */
  private data: string[] = [];
  private dataBytes = 0;
  private id: string | undefined;

  /**
   * `check` gets the size, in bytes of UTF-8, of the current line and of an event's data. It throws
   * if that is too much.
   */
  constructor(private readonly check: (bytes: number) => void = () => {}) {}

  /**
   * Yields the blocks that this text completes. The text may be cut anywhere. Parsing proceeds only
   * as the blocks are consumed.
   * @throws what `check` throws, after the blocks before it were yielded
   */
  *feed(text: string): Generator<Block, void, undefined> {
    let start = 0;
    for (const { 0: lineEnd, index } of text.matchAll(/\r\n|\r|\n/g)) {
      // A CR ends a line at once, so the LF of a CRLF that was cut in two must not end another.
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
    // The spec removes one space behind the colon.
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'data') {
      this.data.push(value);
      this.dataBytes += this.lineBytes;
      this.check(this.dataBytes);
    } else if (name === 'event') this.type = value;
    else if (name === 'id' && !value.includes('\0')) this.id = value;
    // A comment parses as a field without a name.
    else if (name === '')
      this.keepAliveMs = Number(KEEP_ALIVE_COMMENT.exec(value)?.[1] ?? this.keepAliveMs);
    else if (name === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
  }

  /** The finished block, or none if it has neither data nor id. */
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

/** The size in UTF-8. Most lines are ASCII, and the test costs a tenth of the encoder. */
function bytesOf(text: string): number {
  return /[\x80-\uffff]/.test(text) ? encoder.encode(text).length : text.length;
}
