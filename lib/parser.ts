import { KEEP_ALIVE_COMMENT, KEEP_ALIVE_MS } from './protocol.js';

/** What a blank line ends: an event, or only an id. */
export interface Block {
  readonly type: string;
  /** `undefined`: there is no event. */
  readonly data: string | undefined;
  /** The id of this block; without one the last event ID stays. */
  readonly id: string | undefined;
}

/**
 * The text of an event stream as blocks. One for each response: a block that its end cuts never comes out. The byte order
 * mark is left to the decoder.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class Parser {
  /** The last `retry` so far; it counts without a blank line behind it. Milliseconds. */
  retryMs: number | undefined;
  /** How often the server says that it writes at least. Milliseconds; `NaN`: never. */
  keepAliveMs = KEEP_ALIVE_MS;
  /** The beginning of a line whose end has not come. */
  private rest = '';
  private endedInCr = false;
  private type = '';
  private data: string | undefined;
  private id: string | undefined;

  /** The blocks that this text completes. It may be cut anywhere. */
  feed(text: string): Block[] {
    const blocks: Block[] = [];
    let start = 0;
    for (const { 0: lineEnd, index } of text.matchAll(/\r\n|\r|\n/g)) {
      // The second half of a CRLF. A CR alone ends a line too, so that line did not wait for it.
      const isSecondHalf = index === 0 && lineEnd === '\n' && this.endedInCr;
      if (!isSecondHalf) this.line(this.rest + text.slice(start, index), blocks);
      this.rest = '';
      start = index + lineEnd.length;
    }
    this.rest += text.slice(start);
    if (text !== '') this.endedInCr = text.endsWith('\r');
    return blocks;
  }

  private line(line: string, blocks: Block[]): void {
    if (line === '') this.dispatch(blocks);
    else {
      const colon = line.indexOf(':');
      if (colon === -1) this.field(line, '');
      // One space behind the colon belongs to it. A comment is a field without a name.
      else
        this.field(
          line.slice(0, colon),
          line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1),
        );
    }
  }

  private field(name: string, value: string): void {
    if (name === 'data') this.data = this.data === undefined ? value : `${this.data}\n${value}`;
    else if (name === 'event') this.type = value;
    else if (name === 'id' && !value.includes('\0')) this.id = value;
    else if (name === '')
      this.keepAliveMs = Number(KEEP_ALIVE_COMMENT.exec(value)?.[1] ?? this.keepAliveMs);
    else if (name === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
  }

  private dispatch(blocks: Block[]): void {
    const { type, data, id } = this;
    if (data !== undefined || id !== undefined) {
      blocks.push({ type: type || 'message', data, id });
    }
    this.type = '';
    this.data = undefined;
    this.id = undefined;
  }
}
