import type { IncomingHttpHeaders } from 'node:http';
import { Deferred } from '../ground/deferred.js';
import type { Gap } from '../log/event-log.js';
import { Parser, type Block } from '../wire/parser.js';
import { exchange, type Exchange, type StreamRequest } from './exchange.js';
import { lastEventIdHeader } from './last-event-id.js';
import { inspectValue } from './inspect-value.js';
import { Watch } from './watch.js';
import { jsonOrText } from '../wire/json-or-text.js';

/**
 * An event as it came.
 * @publicApi
 */
export interface TestEvent {
  /** `message` where the server named none. */
  readonly type: string;
  /** JSON, parsed; or the text where it is none. */
  readonly data: unknown;
  /** `undefined` where it came without one. */
  readonly id: string | undefined;
}

interface TestStreamSettings {
  readonly request: StreamRequest;
  readonly lastEventId: string | undefined;
  readonly timeoutMs: number;
}

/** How much of an answer that is no stream is shown. */
const SHOWN_LENGTH = 400;

/**
 * A client on a socket of its own, made by `openStream()`: it keeps every byte, and parses them as
 * browsers do. A call that waits rejects after `timeoutMs`, or when nothing more will come, and
 * says what came instead. It never comes back by itself.
 * @publicApi
 */
export class TestStream {
  /** How long each wait may take from now on. Milliseconds; `Infinity` waits on. */
  timeoutMs: number;
  /**
   * Resolves with the whole text when the server has ended the stream; rejects when it was cut, or
   * left by `close()`.
   */
  readonly ended: Promise<string>;
  /** Resolves when the connection is over, in whatever way. Never rejects. */
  readonly closed: Promise<void>;
  private readonly end = new Deferred<string>();
  private readonly over = new Deferred<void>();
  private readonly watch = new Watch();
  private readonly parser = new Parser();
  private readonly decoder = new TextDecoder();
  private readonly exchange: Exchange;
  private readonly received: TestEvent[] = [];
  private response: { readonly status: number; readonly headers: IncomingHttpHeaders } | undefined;
  private body = '';
  private taken = 0;
  private lastId: string | undefined;

  private constructor(private readonly settings: TestStreamSettings) {
    this.ended = this.end.promise;
    this.closed = this.over.promise;
    const { request, lastEventId, timeoutMs } = settings;
    this.timeoutMs = timeoutMs;
    this.lastId = lastEventId;
    const headers = { ...request.headers, ...lastEventIdHeader(lastEventId) };
    this.exchange = exchange(
      { ...request, headers },
      {
        onResponse: (status, received) => {
          this.response = { status, headers: received };
          this.watch.changed();
        },
        onData: (chunk) => this.feed(chunk),
        onEnd: () => {
          this.end.resolve(this.body);
          this.watch.end('the server ended the stream');
        },
        onClose: (error = new Error('the connection was cut')) => {
          this.end.reject(error);
          this.over.resolve();
          this.watch.end(error.message);
        },
      },
    );
  }

  /** @internal Resolves when there is a response. */
  static async open(settings: TestStreamSettings): Promise<TestStream> {
    const stream = new TestStream(settings);
    try {
      await stream.find('a response', () => stream.response);
    } catch (error) {
      stream.close();
      throw error;
    }
    return stream;
  }

  /** The status of the response. */
  get status(): number {
    return this.response?.status ?? 0;
  }

  /** The headers of the response; their names are in lower case. */
  get headers(): IncomingHttpHeaders {
    return this.response?.headers ?? {};
  }

  /** All of the body so far. */
  get text(): string {
    return this.body;
  }

  /** All events so far, also those that were handed out. */
  get events(): readonly TestEvent[] {
    return this.received;
  }

  /** The last event ID, also of a block without an event: what the client comes back with. */
  get cursor(): string | undefined {
    return this.lastId;
  }

  /** The reconnection time that the server set last. Milliseconds. */
  get retryMs(): number | undefined {
    return this.parser.retryMs;
  }

  /**
   * The next event that was not handed out yet; of this type, which passes over those before it.
   */
  next(type?: string): Promise<TestEvent> {
    return this.find(type === undefined ? 'an event' : `an event "${type}"`, () => {
      const index = this.received.findIndex(
        (event, at) => at >= this.taken && (type === undefined || event.type === type),
      );
      if (index === -1) return undefined;
      this.taken = index + 1;
      return this.received[index];
    });
  }

  /** The next `count` events that were not handed out yet. */
  take(count: number): Promise<TestEvent[]> {
    return this.find(`${count} events`, () => {
      if (this.received.length < this.taken + count) return undefined;
      this.taken += count;
      return this.received.slice(this.taken - count, this.taken);
    });
  }

  /**
   * Resolves when `look` answers true; it is asked now and whenever something came. Hands out no
   * event.
   * @example `await stream.until(({ text }) => text.includes(': keep-alive'));`
   */
  async until(look: (stream: this) => boolean): Promise<void> {
    await this.find('the condition of until()', () => look(this) || undefined);
  }

  /** The rooms and the reason of the next `sse-gap`, which passes over the events before it. */
  async gap(): Promise<Gap> {
    const { data } = await this.next('sse-gap');
    return data as Gap;
  }

  /** Reads nothing more from the socket, as a client that hangs. */
  pause(): void {
    this.exchange.body.pause();
  }

  /** Reads on. */
  resume(): void {
    this.exchange.body.resume();
  }

  /**
   * After `pause()`: takes so many bytes, as a client that is slow. Answers whether as many had
   * arrived; else it takes none.
   */
  read(bytes: number): boolean {
    return this.exchange.body.read(bytes) !== null;
  }

  /**
   * Leaves if it has not yet, and comes back with the same request and the cursor, or another one.
   * @throws Error when there is no response in time
   */
  async reconnect({
    lastEventId = this.lastId,
  }: { lastEventId?: string } = {}): Promise<TestStream> {
    this.close();
    await this.closed;
    return TestStream.open({ ...this.settings, lastEventId, timeoutMs: this.timeoutMs });
  }

  /** Leaves, as a browser does that closes the page. A second call does nothing. */
  close(): void {
    this.watch.end('close() was called');
    this.exchange.abort();
  }

  private feed(chunk: Buffer): void {
    const text = this.decoder.decode(chunk, { stream: true });
    this.body += text;
    for (const block of this.parser.feed(text)) this.dispatch(block);
    this.watch.changed();
  }

  private dispatch({ type, data, id }: Block): void {
    if (id !== undefined) this.lastId = id;
    if (data !== undefined) this.received.push({ type, data: jsonOrText(data), id });
  }

  private find<T>(what: string, look: () => T | undefined): Promise<T> {
    const explain = (why: string): Error =>
      new Error(`waited for ${what}: ${why}; ${this.description}`);
    return this.watch.until(look, explain, this.timeoutMs);
  }

  private get description(): string {
    const { response, received } = this;
    if (response === undefined) return 'there was no response';
    if (response.status !== 200) {
      return `the response was ${response.status}: ${this.body.slice(0, SHOWN_LENGTH)}`;
    }
    const last = received.at(-1);
    return last === undefined
      ? `no event arrived; the text so far: ${JSON.stringify(this.body.slice(0, SHOWN_LENGTH))}`
      : `events: ${received.length} received, ${this.taken} returned; the last: ${last.type} ${inspectValue(last.data)}`;
  }
}
