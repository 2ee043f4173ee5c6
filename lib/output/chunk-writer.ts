import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { warnOfCompression } from '../ground/warnings.js';
import type { Batch } from './batch.js';

/**
 * Writes to a response in the cheapest way. On HTTP/1.1, where nothing has wrapped `write()`, the
 * socket gets the chunk that all readers share. Elsewhere, such as behind `compression` or on
 * HTTP/2, the text goes through the response. The figures are in
 * docs/decisions/005-chunks-are-framed-once.md.
 */
export class ChunkWriter {
  private readonly isPlain: boolean;
  private isBegun = false;
  /**
   * What `compression` gives a response, as a property of its own: Node's method of this name is
   * another one.
   */
  private readonly flush: (() => void) | undefined;

  constructor(private readonly raw: ServerResponse) {
    this.isPlain =
      raw instanceof ServerResponse &&
      raw.chunkedEncoding &&
      raw.write === ServerResponse.prototype.write;
    const own = Object.getOwnPropertyDescriptor(raw, 'flush')?.value as unknown;
    this.flush = typeof own === 'function' ? (own as () => void) : undefined;
    const isCompressed = raw.getHeader?.('Content-Encoding') !== undefined;
    if (isCompressed && this.flush === undefined) warnOfCompression();
  }

  /**
   * Answers whether the client takes more; if not, `onDrain` is called once when it does. Node says
   * no for each write that is longer than its own buffer, even if the kernel has taken all of it:
   * nothing waits then, and the client takes more.
   */
  write(batch: Batch, onDrain: () => void): boolean {
    const { raw } = this;
    // The first write goes through the response, which puts the headers before it. Without a socket
    // the response waits behind another one, and keeps what is written until its turn.
    const target = this.isPlain && this.isBegun && raw.socket?.writable ? raw.socket : raw;
    this.isBegun = true;
    const takesMore = target === raw ? this.writeRaw(batch.buffer) : target.write(batch.chunk);
    if (takesMore || this.isTaken(target)) return true;
    target.once('drain', onDrain);
    return false;
  }

  /**
   * Whether the kernel has all of it. Behind middleware, text may wait where nobody sees it. A
   * broken socket holds nothing, but takes nothing either.
   */
  private isTaken(target: ServerResponse | Socket): boolean {
    return this.isPlain && target.writableLength === 0 && this.raw.socket?.writable === true;
  }

  /**
   * Node would hold the parts of a chunk together until the turn is over, and then write for all
   * readers at once.
   */
  private writeRaw(buffer: Buffer): boolean {
    const { raw } = this;
    raw.socket?.cork();
    const takesMore = raw.write(buffer);
    this.flush?.call(raw);
    raw.socket?.uncork();
    return takesMore;
  }
}
