import type { ServerResponse } from 'node:http';
import { crc32 } from 'node:zlib';
import { warnOfForeignEncoding, warnOfWrappedStream } from '../ground/warnings.js';
import { acceptsGzip } from './accept-encoding.js';
import type { Batch, Piece } from './batch.js';
import { flushOfMiddleware } from './chunk-writer.js';
import type { CompressionSettings, EncodedHead, Encoder } from './encoder.js';
import { combined } from './crc.js';
import { Block, Deflater, type Window } from './deflater.js';
import { routeOf, type HttpRequest } from './request.js';
import { valueOf, withVary, type Headers } from './stream-headers.js';

const CONTENT_ENCODING = 'content-encoding';

/** https://www.rfc-editor.org/rfc/rfc1952#section-2.3 */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
/** An empty block that says it is the last one. */
const LAST_BLOCK = Buffer.from([3, 0]);

/** The routes with equal settings share one, so that their readers share blocks. */
const all = new Map<string, Gzip>();

export function gzipOf(settings: CompressionSettings): Gzip {
  const key = `${settings.level} ${settings.windowBytes}`;
  const known = all.get(key) ?? new Gzip(new Deflater(settings));
  all.set(key, known);
  return known;
}

/** Gzip with blocks that readers share. See `Deflater`. */
export class Gzip {
  constructor(private readonly deflater: Deflater) {}

  begin(request: HttpRequest, raw: ServerResponse, own: Headers): EncodedHead {
    const present = valueOf(own, CONTENT_ENCODING);
    if (present !== undefined) {
      warnOfForeignEncoding(routeOf(request), String(present));
      return { headers: own, encoder: () => undefined };
    }
    const headers = withVary(own, 'Accept-Encoding');
    if (!acceptsGzip(request.headers['accept-encoding']))
      return { headers, encoder: () => undefined };
    return {
      headers: { ...headers, 'Content-Encoding': 'gzip' },
      encoder: () => this.encoderFor(request, raw),
    };
  }

  private encoderFor(request: HttpRequest, raw: ServerResponse): Encoder | undefined {
    // Something that wraps the response may have replaced the header while the head was written.
    // Node knows no header here if all were passed to `writeHead()`.
    const written = raw.getHeader(CONTENT_ENCODING) ?? 'gzip';
    if (written !== 'gzip') {
      warnOfForeignEncoding(routeOf(request), String(written));
      return undefined;
    }
    if (flushOfMiddleware(raw) !== undefined) warnOfWrappedStream(routeOf(request));
    return new GzipEncoder(this.deflater);
  }
}

/** Lives as long as the connection, so it is kept small. */
class GzipEncoder implements Encoder {
  /** What the client can be referred to. `undefined` until the first piece. */
  private window: Window | undefined;
  /** Of the text so far. Signed, because V8 puts larger numbers into objects of their own. */
  private crc = 0;
  /** The bytes of the text so far, modulo 2 to the power of 32. Signed. */
  private size = 0;

  constructor(private readonly deflater: Deflater) {}

  next(batch: Batch): Piece {
    const { deflater, window = deflater.empty } = this;
    const isBegun = this.window !== undefined;
    let block: Block;
    if (batch.readers > 1) {
      const shared = deflater.shared(batch, window);
      block = shared.block;
      this.window = shared.next;
      this.crc = combined(this.crc, shared.crc, shared.shift);
    } else {
      const own = deflater.own(batch, window);
      block = own.block;
      this.window = isBegun ? own.next : deflater.empty;
      // For no bytes, Node's function returns 0 instead of the CRC before.
      if (batch.bytes > 0) this.crc = crc32(batch.buffer, this.crc >>> 0) | 0;
    }
    this.size = (this.size + batch.bytes) | 0;
    return isBegun ? block : new Block(Buffer.concat([HEADER, block.buffer]));
  }

  end(last: Batch | undefined): Piece {
    const parts: Buffer[] = [LAST_BLOCK];
    if (last !== undefined) parts.unshift(this.next(last).buffer);
    else if (this.window === undefined) parts.unshift(HEADER);
    const trailer = Buffer.allocUnsafe(8);
    trailer.writeInt32LE(this.crc, 0);
    trailer.writeInt32LE(this.size, 4);
    return new Block(Buffer.concat([...parts, trailer]));
  }
}
