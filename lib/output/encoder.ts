import type { Batch, Piece } from './batch.js';
import type { Headers } from './stream-headers.js';

/** The settings of a route's compression. See `CompressionOptions`. */
export interface CompressionSettings {
  readonly level: number;
  readonly windowBytes: number;
}

/** Compresses what one connection is sent. */
export interface Encoder {
  /** What to write for a batch. From it the client can read the whole batch at once. */
  next(batch: Batch): Piece;
  /** What ends the response, after a last batch if there is one. */
  end(last: Batch | undefined): Piece;
}

/** The head of a response whose route has the option `compression`. */
export interface EncodedHead {
  readonly headers: Headers;
  /** Call it when the head is written. Returns nothing if this stream is not compressed. */
  encoder(): Encoder | undefined;
}
