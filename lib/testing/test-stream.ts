import type { IncomingHttpHeaders } from 'node:http';
import { Deferred } from '../ground/deferred.js';
import type { Gap } from '../log/event-log.js';
import { Parser, type Block } from '../wire/parser.js';
import { exchange, type Exchange, type StreamRequest } from './exchange.js';
import { lastEventIdHeader } from './last-event-id.js';
import { inspectValue } from './inspect-value.js';
import { Watch } from './watch.js';
import { jsonOrText } from '../wire/json-or-text.js';
import { isStateEvent, StateMap } from '../wire/state-map.js';

/**
 * A received event.
 * @publicApi
 */
export interface TestEvent {
  /** `message` if the server sent no type. */
  readonly type: string;
  /** The parsed JSON, or the text if it is not JSON. */
  readonly data: unknown;
  /** `undefined` for an event without an id. */
  readonly id: string | undefined;
}

interface TestStreamSettings {
  readonly request: StreamRequest;
  readonly lastEventId: string | undefined;
  readonly timeoutMs: number;
  /** The events of the streams before `reconnect()`. */
  readonly earlier: readonly (readonly TestEvent[])[];
}

/** How many characters of a body go into a message. */
const SHOWN_LENGTH = 400;

/**
 * A client with its own socket, created by `openStream()`. It records every byte, and parses events
 * as browsers do. A call that waits rejects after `timeoutMs`, or when the stream ends, with a
 * message that says what was received instead. It does not reconnect by itself.
 * @publicApi
 */
export class TestStream {
  /** How long each wait may take from now on, in milliseconds. `Infinity`: no timeout. */
  timeoutMs: number;
  /**
   * Resolves with the whole text when the server has ended the stream. Rejects if the connection
   * breaks off or `close()` is called.
   */
  readonly ended: Promise<string>;
  /** Resolves when the connection has ended, for whatever reason. Never rejects. */
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

  /** The headers of the response, with names in lower case. */
  get headers(): IncomingHttpHeaders {
    return this.response?.headers ?? {};
  }

  /** The whole body so far. */
  get text(): string {
    return this.body;
  }

  /** All events so far, including those that `next()` and `take()` have returned. */
  get events(): readonly TestEvent[] {
    return this.received;
  }

  /** The last event ID, also of a block without an event. `reconnect()` sends it. */
  get cursor(): string | undefined {
    return this.lastId;
  }

  /** The last reconnection time (`retry:`) from the server, in milliseconds. */
  get retryMs(): number | undefined {
    return this.parser.retryMs;
  }

  /**
   * Resolves with the next event that was not returned yet. With a type, it skips events of other
   * types.
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

  /** Resolves with the next `count` events that were not returned yet. */
  take(count: number): Promise<TestEvent[]> {
    return this.find(`${count} events`, () => {
      if (this.received.length < this.taken + count) return undefined;
      this.taken += count;
      return this.received.slice(this.taken - count, this.taken);
    });
  }

  /**
   * Resolves when `look` returns true. It is called now and whenever data arrives. Takes no event.
   * @example `await stream.until(({ text }) => text.includes(': keep-alive'));`
   */
  async until(look: (stream: this) => boolean): Promise<void> {
    await this.find('the condition of until()', () => look(this) || undefined);
  }

  /** Resolves with the rooms and the reason of the next `sse-gap`. Skips events before it. */
  async gap(): Promise<Gap> {
    const { data } = await this.next('sse-gap');
    return data as Gap;
  }

  /**
   * Resolves with the entries of a state room, as this client has them now; waits for the first
   * whole state. After `reconnect()`, the client still has what the stream before it had.
   */
  stateOf(room: string): Promise<Map<string, unknown>> {
    return this.find(`the state of room "${room}"`, () => {
      const map = new StateMap(room);
      for (const events of [...this.settings.earlier, this.received]) {
        map.drop();
        for (const event of events) if (isStateEvent(event.type)) map.receive(event);
      }
      return map.isWhole ? new Map(map) : undefined;
    });
  }

  /** Stops reading from the socket, as a client that hangs. */
  pause(): void {
    this.exchange.body.pause();
  }

  /** Continues reading. */
  resume(): void {
    this.exchange.body.resume();
  }

  /**
   * After `pause()`: reads this many bytes, as a slow client. Returns false, and reads none, if
   * fewer have arrived.
   */
  read(bytes: number): boolean {
    return this.exchange.body.read(bytes) !== null;
  }

  /**
   * Disconnects if necessary, and repeats the request with the cursor, or with another
   * `lastEventId`. Resolves with the new stream.
   * @throws Error if there is no response in time
   */
  async reconnect({
    lastEventId = this.lastId,
  }: { lastEventId?: string } = {}): Promise<TestStream> {
    this.close();
    await this.closed;
    const earlier = [...this.settings.earlier, this.received];
    return TestStream.open({ ...this.settings, lastEventId, timeoutMs: this.timeoutMs, earlier });
  }

  /** Disconnects, as a browser that closes the page. A second call does nothing. */
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
