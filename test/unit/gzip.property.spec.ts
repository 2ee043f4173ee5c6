// Random readers of random frames, shared and their own: what each can inflate after each write is
// what was written to it. FC_RUNS sets the number of runs; FC_SEED repeats one, with its seed.
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { constants, gunzipSync } from 'node:zlib';
import { Batch } from '../../lib/output/batch.js';
import type { Encoder } from '../../lib/output/encoder.js';
import { encoderOf } from '../support/gzip-encoder.js';

const runs = Number(process.env['FC_RUNS'] ?? 300);
const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);

beforeAll(() => {
  process.stdout.write(`gzip.property: FC_SEED=${seed} FC_RUNS=${runs}\n`);
});

const READERS = 5;

/** What happens in one turn of the event loop. */
interface TurnPlan {
  /** Frames for the readers of these bits, in order. */
  readonly frames: readonly { readonly to: number; readonly text: string }[];
  /** Readers that begin again after this turn, as their connections are new. */
  readonly replaced: number;
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom('data: {"symbol":"ACME","price":42.1}\n\n', 'é', '𝄞'.repeat(30)),
  // More than one window, and more than what is compressed fast.
  fc.integer({ min: 1, max: 9_000 }).map((count) => 'id: 1\n\n'.repeat(count)),
);
const turn: fc.Arbitrary<TurnPlan> = fc.record({
  frames: fc.array(fc.record({ to: fc.integer({ min: 1, max: 2 ** READERS - 1 }), text }), {
    maxLength: 4,
  }),
  replaced: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** READERS - 1 })),
});
const settings = fc.record({
  level: fc.integer({ min: 1, max: 9 }),
  windowBytes: fc.constantFrom(0, 1, 63, 64, 100, 1_024, 4_096, 32_768),
});

class Reader {
  private readonly parts: Buffer[] = [];
  private written = '';

  constructor(
    private readonly encoder: Encoder,
    /** What was written, and what could be read. */
    private readonly seen: (written: string, read: string) => void,
  ) {}

  write(batch: Batch): void {
    const { buffer, bytes, chunk } = this.encoder.next(batch);
    const framed = `${bytes.toString(16)}\r\n${buffer.toString('latin1')}\r\n`;
    this.seen(framed, chunk.toString('latin1'));
    this.parts.push(buffer);
    this.written += batch.buffer.toString();
    const all = Buffer.concat(this.parts);
    this.seen(this.written, gunzipSync(all, { finishFlush: constants.Z_SYNC_FLUSH }).toString());
  }

  end(last: Batch | undefined): void {
    this.parts.push(this.encoder.end(last).buffer);
    const written = this.written + (last?.buffer.toString() ?? '');
    // Also checks the CRC and the length.
    this.seen(written, gunzipSync(Buffer.concat(this.parts)).toString());
  }
}

describe('streams of shared blocks', () => {
  // feature: 81
  it('are readable after each write, and have a right end', () => {
    fc.assert(
      fc.property(settings, fc.array(turn, { maxLength: 12 }), (options, turns) => {
        const wrong: unknown[] = [];
        const begin = (n: number): Reader => {
          const reader = new Reader(encoderOf(options), (written, read) => {
            if (read !== written) wrong.push({ written, read });
          });
          // With an opening, of its own as in an app, or without.
          if (n % 2 === 0) reader.write(Batch.of(`retry: ${n}\n\n`));
          return reader;
        };
        const readers = Array.from({ length: READERS }, (_, n) => begin(n));
        for (const { frames, replaced } of turns) {
          const root = new Batch();
          const batches = readers.map((_, n) =>
            frames
              .filter(({ to }) => (to & (1 << n)) !== 0)
              .reduce<Batch | undefined>(
                (batch, frame) => (batch ?? root).append(frame.text, true),
                undefined,
              ),
          );
          for (const [n, batch] of batches.entries()) {
            if ((replaced & (1 << n)) === 0) {
              if (batch !== undefined) readers[n]!.write(batch);
            } else {
              readers[n]!.end(batch);
              readers[n] = begin(n);
            }
          }
        }
        for (const reader of readers) reader.end(undefined);
        expect(wrong).toEqual([]);
      }),
      { numRuns: runs, seed },
    );
  }, 120_000);
});
