import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { Observable } from 'rxjs';
import { currentStream } from '../../lib/connection/current-stream.js';
import { Stream } from '../../lib/connection/stream.js';
import { END_ID } from '../../lib/wire/protocol.js';
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
  | { readonly kind: 'end'; readonly step: number };

const settings = streamSettings({
  keepAlive: { intervalMs: 1 },
  onComplete: 'close',
  backpressure: { stallTimeoutMs: false, maxBufferedBytes: 1e9 },
});

/**
 * A client as a browser is one: it keeps the last event ID of what it has read, loses what is under
 * way when its connection drops, and comes back. The server's side of it is the real one, down to
 * the response.
 */
export class ModelClient {
  readonly items: Item[] = [];
  lastEventId: string | undefined;
  connection: Stream | undefined;
  private response = new RecordingResponse();
  private parser: EventSourceParser = this.newParser();
  private readonly connections = openRegistry();

  constructor(private readonly step: () => number) {}

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
    const headers = this.lastEventId === undefined ? {} : { 'last-event-id': this.lastEventId };
    this.response = new RecordingResponse();
    this.parser = this.newParser();
    const response = streamResponse(this.response);
    const request = { headers };
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
    for (const chunk of this.response.chunks.splice(0, chunks)) this.parser.feed(chunk);
    return items.length > count || this.lastEventId !== lastEventId;
  }

  drop(): void {
    this.response.chunks.length = 0;
    this.response.emit('close');
    this.connection = undefined;
  }

  readSlowly(): void {
    this.response.full = true;
  }

  readAgain(): void {
    if (this.response.full) this.response.drain();
  }

  keepAlive(): void {
    if (this.connection?.state === 'open') this.connection.check(performance.now() + 10);
  }

  /** The app writes to this client alone, between the events. */
  say(): void {
    if (this.connection?.state === 'open') void this.connection.comment('hello').catch(() => {});
  }

  private newParser(): EventSourceParser {
    const parser = createParser({
      onEvent: ({ event, data, id }) => {
        const step = this.step();
        if (id !== undefined && id !== END_ID) this.lastEventId = id;
        if (event === 'sse-end') {
          this.items.push({ kind: 'end', step });
        } else if (event === 'sse-gap') {
          const gap = JSON.parse(data) as { rooms: string[]; reason: string };
          this.items.push({ kind: 'gap', ...gap, step });
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
          if (id !== undefined && id !== END_ID) this.lastEventId = id;
        }
      },
    };
  }
}
