import type { IncomingHttpHeaders } from 'node:http';
import { constants, gunzipSync } from 'node:zlib';
import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { Observable } from 'rxjs';
import { currentStream } from '../../lib/connection/current-stream.js';
import { Stream } from '../../lib/connection/stream.js';
import { END_ID, KEEPS_TAIL } from '../../lib/wire/protocol.js';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { returningClientOf } from '../../lib/output/request.js';
import { writeStream } from '../../lib/nest/stream-writer.js';
import { RecordingResponse, streamResponse } from '../support/recording-response.js';
import { openRegistry } from '../support/registry.js';

/** What a client was told, in order. */
export type Item =
  | { readonly kind: 'event'; readonly uid: number; readonly step: number }
  | {
      readonly kind: 'gap';
      readonly rooms: readonly string[];
      readonly reason: string;
      readonly step: number;
    }
  | {
      readonly kind: 'state';
      readonly room: string;
      readonly entries: number;
      readonly step: number;
    }
  | {
      readonly kind: 'set' | 'delete';
      readonly room: string;
      readonly key: string;
      readonly value: unknown;
      /** Absent for an entry of a state. */
      readonly id: string | undefined;
      readonly step: number;
    }
  | { readonly kind: 'connect'; readonly step: number }
  /** The rooms in force: the stream has begun, with a token, or they have changed. */
  | {
      readonly kind: 'rooms';
      readonly rooms: readonly string[];
      readonly token: string | undefined;
      /** Whether it came without an id, although the client has one. */
      readonly lacksId: boolean;
      readonly step: number;
    }
  | { readonly kind: 'end'; readonly step: number };

/** The cursors of an id, what it says after them, and the mark of a slow client. */
const PARTS = /^(.*?)((?:~[nrgjk]\.[\w.-]+)*)(~s\.[\w-]+)?$/;

/** Longer than any run: the schedule says when a connection is kept alive. */
const KEEP_ALIVE_MS = 600_000;

const options = {
  keepAlive: { intervalMs: KEEP_ALIVE_MS },
  onComplete: 'close',
  backpressure: { stallTimeoutMs: false, maxBufferedBytes: 1e9 },
} as const;
const plain = streamSettings(options);
const compressed = streamSettings({ ...options, compression: true });
await compressed.compression?.load();

/**
 * A client as a browser is one: it keeps the last event ID of what it has read, loses what is under
 * way when its connection drops, and comes back. The server's side of it is the real one, down to
 * the response.
 */
export class ModelClient {
  readonly items: Item[] = [];
  lastEventId: string | undefined;
  /** What the last id that had one said after the cursors. */
  private tail = '';
  connection: Stream | undefined;
  private response = new RecordingResponse();
  private parser: EventSourceParser = this.newParser();
  private readonly connections = openRegistry();

  private body = Buffer.alloc(0);
  private decoded = 0;

  constructor(
    private readonly step: () => number,
    private readonly isCompressed = false,
    /** As the client of this library does, and an `EventSource` cannot. */
    private readonly keepsTail = false,
  ) {}

  /** It was told that the stream has ended for good: it does not return. */
  get hasEnded(): boolean {
    return this.items.at(-1)?.kind === 'end';
  }

  /** Also while what the server wrote before it ended the stream is under way. */
  get isConnected(): boolean {
    const { ended, destroyed, chunks } = this.response;
    return this.connection !== undefined && !destroyed && !(ended && chunks.length === 0);
  }

  connect(source: Observable<unknown>): void {
    const headers: IncomingHttpHeaders = this.isCompressed ? { 'accept-encoding': 'gzip' } : {};
    if (this.lastEventId !== undefined) headers['last-event-id'] = this.lastEventId;
    if (this.keepsTail) headers.accept = `text/event-stream, ${KEEPS_TAIL}`;
    this.response = new RecordingResponse(this.isCompressed ? 'latin1' : 'utf8');
    this.parser = this.newParser();
    this.body = Buffer.alloc(0);
    this.decoded = 0;
    const response = streamResponse(this.response, { headers });
    const request = { headers };
    const settings = this.isCompressed ? compressed : plain;
    const returning = returningClientOf(request);
    const connection = new Stream(request, response, settings, this.connections, returning);
    this.connections.add(connection);
    this.connection = connection;
    currentStream.run(connection, () => void writeStream(source, connection).catch(() => {}));
  }

  /**
   * The network carries some of what the server has written. Answers whether it was more than a
   * keep-alive.
   */
  receive(chunks: number): boolean {
    const { items, lastEventId } = this;
    const count = items.length;
    for (const chunk of this.response.chunks.splice(0, chunks))
      this.parser.feed(this.textOf(chunk));
    return items.length > count || this.lastEventId !== lastEventId;
  }

  /** What a chunk adds to the text. */
  private textOf(chunk: string): string {
    if (!this.isCompressed) return chunk;
    this.body = Buffer.concat([this.body, Buffer.from(chunk, 'latin1')]);
    const text = gunzipSync(this.body, { finishFlush: constants.Z_SYNC_FLUSH });
    const added = text.subarray(this.decoded).toString();
    this.decoded = text.length;
    return added;
  }

  drop(): void {
    this.vanish()();
  }

  /** Leaves for good: no timer keeps it in memory. */
  async leave(): Promise<void> {
    this.drop();
    await this.connections.drain(0);
  }

  /** Drops the connection. Returns what makes the server notice it. */
  vanish(): () => void {
    const { response } = this;
    response.chunks.length = 0;
    this.connection = undefined;
    // What the server still writes does not arrive.
    this.response = new RecordingResponse();
    return () => response.emit('close');
  }

  readSlowly(): void {
    this.response.full = true;
  }

  readAgain(): void {
    if (this.response.full) this.response.drain();
  }

  keepAlive(): void {
    if (this.connection?.state === 'open')
      this.connection.check(performance.now() + KEEP_ALIVE_MS + 10);
  }

  /** The app writes to this client alone, between the events. */
  say(): void {
    if (this.connection?.state === 'open') void this.connection.comment('hello').catch(() => {});
  }

  private newParser(): EventSourceParser {
    const parser = createParser({
      onEvent: ({ event, data, id }) => {
        const step = this.step();
        const lacksId = id === undefined && this.lastEventId !== undefined;
        this.takeId(id);
        if (event === 'sse-end') {
          this.items.push({ kind: 'end', step });
        } else if (event === 'sse-gap') {
          const gap = JSON.parse(data) as { rooms: string[]; reason: string };
          this.items.push({ kind: 'gap', ...gap, step });
        } else if (event === 'sse-state') {
          const { rooms, entries } = JSON.parse(data) as { rooms: string[]; entries: number };
          for (const room of rooms) this.items.push({ kind: 'state', room, entries, step });
        } else if (event === 'sse-open' || event === 'sse-rooms') {
          const { rooms, stream: token } = JSON.parse(data) as { rooms: string[]; stream?: string };
          this.items.push({ kind: 'rooms', rooms, token, lacksId, step });
        } else if (event === 'sse-set' || event === 'sse-delete') {
          const change = JSON.parse(data) as { room: string; key: string; value: unknown };
          const kind = event === 'sse-set' ? 'set' : 'delete';
          this.items.push({ kind, ...change, id, step });
        } else {
          this.items.push({ kind: 'event', uid: Number(data), step });
        }
      },
    });
    // The parser reports no blocks without data, and those move the last event ID too.
    return {
      ...parser,
      feed: (text: string) => {
        for (const block of text.split('\n\n')) {
          parser.feed(block === '' ? '' : `${block}\n\n`);
          const id = /^id: (.*)$/m.exec(block)?.[1];
          this.takeId(id);
        }
      },
    };
  }

  private takeId(id: string | undefined): void {
    if (id === undefined || id === END_ID) return;
    const [, cursors = '', tail = '', mark = ''] = PARTS.exec(id) ?? [];
    if (tail !== '') this.tail = tail;
    this.lastEventId = this.keepsTail ? cursors + this.tail + mark : id;
  }
}
