import { FlushWindow } from './flush-window.js';

/** Bytes to write: as they are, and as one chunk of a chunked body. */
export interface Piece {
  readonly bytes: number;
  readonly buffer: Buffer;
  readonly chunk: Buffer;
}

/**
 * Frames that a connection has not written yet, as a linked list whose nodes are shared.
 * Connections that receive the same frames in the same turn hold the *same* batch, so a thousand of
 * them need one buffer.
 */
export class Batch implements Piece {
  /** The size of the wire text. */
  readonly bytes: number;
  /** The number of events in the text. */
  readonly events: number;
  /** The number of connections that collected these frames, at least. */
  readers = 1;
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

  /** Text for one connection only. */
  static of(text: string, events = 0): Batch {
    return new Batch(undefined, text, events);
  }

  /** Adds a frame. Everyone who appends the same frame to this batch gets the same new batch. */
  append(frame: string, isEvent = false): Batch {
    if (this.lastChild?.frame === frame) {
      this.lastChild.readers++;
      return this.lastChild;
    }
    return (this.lastChild = new Batch(this, frame, isEvent ? 1 : 0));
  }

  get buffer(): Buffer {
    return (this.encoded ??= Buffer.from(this.text));
  }

  /**
   * The text as one chunk of a chunked body, so that Node does not frame it for each connection.
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

/** A connection that has something to write. */
export interface TurnWriter {
  flush(): void;
  /** `flush()` threw. Ends this connection; the others are still written. Never throws. */
  failed(error: unknown): void;
}

/** Has frames for a connection that it has not handed over yet. */
export interface FrameSource {
  /** Appends them to the connection's batch, if it has one. Must not throw. */
  take(batch: Batch | undefined): Batch | undefined;
}

/** A longer slice would delay the app's other routes. */
const FLUSH_SLICE_MS = 4;

/**
 * Writes each connection that has new frames once, at the end of a turn of the event loop. After a
 * few milliseconds it yields to the loop. Frames that arrive before it continues join the batches
 * that are not written yet.
 */
export class Turn {
  /** The empty batch that all batches of this turn start from. */
  root = new Batch();
  private queue: TurnWriter[] = [];
  private scheduled = false;
  /** The newest of each length. */
  private windows: Map<number, FlushWindow> | undefined;

  /** The window that begins now. Rounded up, so that none is shorter than it should be. */
  windowOf(flushMs: number): FlushWindow {
    const endsAt = Math.ceil(performance.now()) + flushMs;
    this.windows ??= new Map();
    const newest = this.windows.get(flushMs);
    if (newest?.endsAt === endsAt) return newest;
    const window = new FlushWindow(endsAt);
    this.windows.set(flushMs, window);
    return window;
  }

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
        // Reading the clock costs as much as a small write.
        if (written % 64 === 0 && performance.now() > until) break;
      }
    } finally {
      this.queue = this.queue.slice(written);
      this.scheduled = false;
      this.schedule();
    }
  };
}
