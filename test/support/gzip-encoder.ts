import type { Encoder, CompressionSettings } from '../../lib/output/encoder.js';
import { gzipOf } from '../../lib/output/gzip.js';
import { RecordingResponse } from './recording-response.js';

/** What compresses one stream, for a client that accepts gzip. */
export function encoderOf(settings: CompressionSettings): Encoder {
  const request = { headers: { 'accept-encoding': 'gzip' } };
  const encoder = gzipOf(settings).begin(request, new RecordingResponse().asResponse, {}).encoder();
  if (encoder === undefined) throw new Error('the stream is not compressed');
  return encoder;
}
