import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { warnOfCompression } from '../ground/warnings.js';
import type { Piece } from './batch.js';

/**
 * Writes batches to a response the cheapest way. On HTTP/1.1 with an unwrapped `write()`, the
 * socket gets the chunk that all connections share. Otherwise, such as behind `compression` or on
 * HTTP/2, the text goes through the response. Figures:
 * docs/decisions/005-chunks-are-framed-once.md.
 */
export class ChunkWriter {
  private readonly isPlain: boolean;
  private isBegun = false;
  private readonly flush: (() => void) | undefined;

  constructor(
    private readonly raw: ServerResponse,
    isCompressedHere = false,
  ) {
    this.isPlain =
      raw instanceof ServerResponse &&
      raw.chunkedEncoding &&
      raw.write === ServerResponse.prototype.write;
    this.flush = flushOfMiddleware(raw);
    const isCompressed = raw.getHeader?.('Content-Encoding') !== undefined;
    if (isCompressed && !isCompressedHere && this.flush === undefined) warnOfCompression();
  }

  /**
   * Returns whether the client takes more. If not, `onDrain` is called once when it does. Node
   * returns false for each write longer than its own buffer, even if the kernel took all of it.
   * Nothing waits in that case, so this returns true.
   */
  write(piece: Piece, onDrain: () => void): boolean {
    const { raw } = this;
    // The first write must go through the response, which puts the headers before it. A pipelined
    // response has no socket yet and buffers until its turn.
    const target = this.isPlain && this.isBegun && raw.socket?.writable ? raw.socket : raw;
    this.isBegun = true;
    const takesMore = target === raw ? this.writeRaw(piece.buffer) : target.write(piece.chunk);
    if (takesMore || this.isTaken(target)) return true;
    target.once('drain', onDrain);
    return false;
  }

  /**
   * Whether the kernel took everything. Middleware may buffer text where this cannot see it. A
   * broken socket buffers nothing, but takes nothing either.
   */
  private isTaken(target: ServerResponse | Socket): boolean {
    return this.isPlain && target.writableLength === 0 && this.raw.socket?.writable === true;
  }

  /** Without `cork()`, Node would hold the parts of a chunk until the end of the turn. */
  private writeRaw(buffer: Buffer): boolean {
    const { raw } = this;
    raw.socket?.cork();
    const takesMore = raw.write(buffer);
    this.flush?.call(raw);
    raw.socket?.uncork();
    return takesMore;
  }
}

/**
 * The `flush()` that `compression` adds to a response as an own property. Node's method of the same
 * name does something else.
 */
export function flushOfMiddleware(raw: ServerResponse): (() => void) | undefined {
  const own = Object.getOwnPropertyDescriptor(raw, 'flush')?.value as unknown;
  return typeof own === 'function' ? (own as () => void) : undefined;
}

/** Whether the socket is broken, so that writes go nowhere. */
export function isBroken({ socket }: ServerResponse): boolean {
  return socket !== null && (socket.destroyed || Boolean(socket.errored));
}
