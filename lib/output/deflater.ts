import { constants, crc32, deflateRawSync } from 'node:zlib';
import type { Batch, Piece } from './batch.js';
import type { CompressionSettings } from './encoder.js';
import { shiftOf } from './crc.js';

/** A shorter text is not worth referring to. */
const MIN_DICTIONARY_BYTES = 64;

/**
 * A longer text is compressed at level 1. Most are replays, each for one reader, and the app's
 * other routes wait while it is compressed.
 */
const LONG_BYTES = 32_768;

const EMPTY = Buffer.alloc(0);

/** Compressed bytes that can be shared: each is written as it is, or as one chunk. */
export class Block implements Piece {
  private framed: Buffer | undefined;

  constructor(readonly buffer: Buffer) {}

  get bytes(): number {
    return this.buffer.length;
  }

  get chunk(): Buffer {
    const { buffer } = this;
    return (this.framed ??= Buffer.concat([
      Buffer.from(`${buffer.length.toString(16)}\r\n`),
      buffer,
      Buffer.from('\r\n'),
    ]));
  }
}

/** What a number of streams end in, as plain text. */
export class Window {
  constructor(
    readonly text: Buffer,
    /** Whether others may have it too. */
    readonly isShared: boolean,
  ) {}
}

/** A block, and the window of those who got it. */
interface Step {
  readonly block: Block;
  readonly next: Window;
}

interface SharedStep extends Step {
  readonly dictionary: Buffer;
  readonly crc: number;
  readonly shift: number;
}

/**
 * Compresses batches into blocks of raw deflate. Each ends on a byte, so that a stream may be put
 * together from any blocks. A block may refer to what was sent before it. Then it is only for
 * readers whose streams end in exactly that text, their window.
 *
 * Readers move from window to window: from the same one, the same batch leads all of them to the
 * same block and the same next window. A reader gets an empty window by what is sent to it alone.
 * After that it shares blocks with all others who have just begun, and as soon as the last
 * `windowBytes` of two windows are equal, they become one.
 *
 * https://www.rfc-editor.org/rfc/rfc1951#section-3.2.4
 */
export class Deflater {
  readonly empty = new Window(EMPTY, true);
  /** The steps from different windows over one batch. */
  private readonly steps = new WeakMap<Batch, Map<Window, SharedStep>>();

  constructor(private readonly settings: CompressionSettings) {}

  /** For a batch that several connections get. */
  shared(batch: Batch, before: Window): SharedStep {
    // What was sent to one reader alone is in nobody else's stream.
    const window = before.isShared ? before : this.empty;
    let steps = this.steps.get(batch);
    if (steps === undefined) this.steps.set(batch, (steps = new Map<Window, SharedStep>()));
    let step = steps.get(window);
    if (step === undefined) steps.set(window, (step = this.sharedStep(batch, window, steps)));
    return step;
  }

  private sharedStep(
    { buffer }: Batch,
    window: Window,
    steps: ReadonlyMap<Window, SharedStep>,
  ): SharedStep {
    const text = this.windowText(window.text, buffer);
    const dictionary = this.dictionaryOf(window.text);
    const others = [...steps.values()];
    const [one] = others;
    return {
      dictionary,
      block:
        others.find((step) => step.dictionary.equals(dictionary))?.block ??
        this.deflate(buffer, dictionary),
      next: others.find(({ next }) => next.text.equals(text))?.next ?? new Window(text, true),
      crc: one?.crc ?? crc32(buffer) | 0,
      shift: one?.shift ?? shiftOf(buffer.length),
    };
  }

  /** For a batch of one connection. */
  own({ buffer, events }: Batch, { text }: Window): Step {
    const block = this.deflate(buffer, text);
    // An idle connection gets nothing but keep-alives: it should hold no text.
    const next = events === 0 ? this.empty : new Window(this.windowText(text, buffer), false);
    return { block, next };
  }

  private windowText(before: Buffer, added: Buffer): Buffer {
    const kept = this.settings.windowBytes - added.length;
    if (kept <= 0) return Buffer.from(added.subarray(-kept));
    return Buffer.concat([before.subarray(Math.max(0, before.length - kept)), added]);
  }

  /**
   * The part of a window that shared blocks refer to. It grows in powers of two, so that readers
   * who began at different times differ in few lengths, and share most blocks from the beginning.
   */
  private dictionaryOf(text: Buffer): Buffer {
    if (text.length < MIN_DICTIONARY_BYTES) return EMPTY;
    if (text.length === this.settings.windowBytes) return text;
    return text.subarray(-(2 ** Math.floor(Math.log2(text.length))));
  }

  private deflate(text: Buffer, dictionary: Buffer): Block {
    const { level } = this.settings;
    const compressed = deflateRawSync(text, {
      level: text.length > LONG_BYTES ? 1 : level,
      finishFlush: constants.Z_SYNC_FLUSH,
      ...(dictionary.length > 0 && { dictionary }),
    });
    return new Block(compressed);
  }
}
