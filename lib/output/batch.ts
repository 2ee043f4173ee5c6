/**
 * The frames that a connection has not written yet. A batch is a list that shares its beginning:
 * readers that received the same frames in the same turn hold the *same* batch, so a thousand of
 * them cost one buffer.
 */
export class Batch {
  /** The size of the wire text. */
  readonly bytes: number;
  /** How many events are in the text. */
  readonly events: number;
  private lastChild: Batch | undefined;
  private encoded: Buffer | undefined;
  private framed: Buffer | undefined;

  constructor(
    private readonly parent?: Batch,
    private readonly frame = '',
    events = 0,
  ) {
    this.bytes = (parent?.bytes ?? 0) + Buffer.byteLength(frame);
    this.events = (parent?.events ?? 0) + events;
  }

  /** Text for one reader alone. */
  static of(text: string, events = 0): Batch {
    return new Batch(undefined, text, events);
  }

  /** This batch and one frame more; the same batch for everyone who appends the same frame here. */
  append(frame: string, isEvent = false): Batch {
    if (this.lastChild?.frame === frame) return this.lastChild;
    return (this.lastChild = new Batch(this, frame, isEvent ? 1 : 0));
  }

  get buffer(): Buffer {
    return (this.encoded ??= Buffer.from(this.text));
  }

  /**
   * The text as one chunk of a chunked body, so that Node does not frame it again for each reader.
   * https://www.rfc-editor.org/rfc/rfc9112#name-chunked-transfer-coding
   */
  get chunk(): Buffer {
    return (this.framed ??= Buffer.from(`${this.bytes.toString(16)}\r\n${this.text}\r\n`));
  }

  private get text(): string {
    const frames: string[] = [];
    for (let batch: Batch | undefined = this; batch; batch = batch.parent) frames.push(batch.frame);
    return frames.reverse().join('');
  }
}

/** A connection, as the turn sees it. */
export interface TurnWriter {
  flush(): void;
  /**
   * `flush()` has thrown: that is the end of this one, and the others are written. Never throws.
   */
  failed(error: unknown): void;
}

/** Writing for longer would hold back the app's other routes. */
const FLUSH_SLICE_MS = 4;

/**
 * Collects who has something to write and lets each write once, when this turn of the event loop is
 * over. Yields to the loop after a few milliseconds; what arrives meanwhile joins the batches not
 * yet written.
 */
export class Turn {
  /** Where the batches of this turn begin. */
  root = new Batch();
  private queue: TurnWriter[] = [];
  private scheduled = false;

  add(writer: TurnWriter): void {
    this.queue.push(writer);
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || this.queue.length === 0) return;
    this.scheduled = true;
    setImmediate(this.flush);
  }

  private readonly flush = (): void => {
    const until = performance.now() + FLUSH_SLICE_MS;
    const due = this.queue.length;
    let written = 0;
    this.root = new Batch();
    try {
      while (written < due) {
        const writer = this.queue[written++];
        try {
          writer?.flush();
        } catch (error) {
          writer?.failed(error);
        }
        // Looking at the clock costs as much as a small write, so not after each.
        if (written % 64 === 0 && performance.now() > until) break;
      }
    } finally {
      this.queue = this.queue.slice(written);
      this.scheduled = false;
      this.schedule();
    }
  };
}
