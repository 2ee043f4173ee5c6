import { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { Turn } from '../output/batch.js';
import type { Identity } from '../connection/identity.js';
import type { SseConnection } from '../connection/sse-connection.js';
import { Stream, type StreamHost } from '../connection/stream.js';
import type { LoggedEvent } from '../log/event.js';
import type { SseMessage } from '../wire/frame.js';
import { returningClientOf, type HttpRequest } from '../output/request.js';
import { StreamResponse } from '../output/response.js';
import { SlowClients } from '../connection/slow-clients.js';
import { streamSettings } from '../connection/stream-settings.js';
import { lastEventIdHeader } from './last-event-id.js';

/**
 * The options of `fakeConnection()`.
 * @publicApi
 */
export interface FakeConnectionOptions {
  /** The last event ID of a returning client. */
  lastEventId?: string;
  /** The headers of the request, with names in lower case. */
  headers?: IncomingHttpHeaders;
  /** Properties that a guard or middleware would have set on the request, such as `{ user }`. */
  request?: object;
  /** Whose it is, as `identify` would say. */
  identity?: Identity;
}

/** The part of a response that a connection uses. It records the text. */
class Recorder extends EventEmitter {
  readonly headersSent = false;
  readonly writableEnded = false;
  readonly writableLength = 0;
  readonly statusCode = 200;
  readonly socket = { cork() {}, uncork() {} };
  destroyed = false;
  text = '';

  /** Typed as Node's class, of which this is the part that the library uses. */
  get asResponse(): ServerResponse {
    return this as unknown as ServerResponse;
  }
  getHeaders(): Record<string, string> {
    return {};
  }
  hasHeader(): boolean {
    return false;
  }
  writeHead(): void {}
  write(chunk: Buffer): boolean {
    this.text += chunk.toString();
    return true;
  }
  end(chunk?: Buffer): void {
    if (chunk !== undefined) this.write(chunk);
    this.destroy();
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

/**
 * A connection without a socket, created by `fakeConnection()`. Otherwise it is real: it checks and
 * encodes messages, writes once per turn of the event loop, and ends.
 * @publicApi
 */
export interface FakeConnection extends SseConnection {
  /**
   * The messages so far, in order: those of `send()`, and the snapshots and gaps of a hub stream
   * that it reads.
   */
  readonly messages: SseMessage[];
  /**
   * The wire text so far. The text of the current turn of the event loop is still missing; `send()`
   * resolves when it is there.
   */
  readonly text: string;
  /**
   * Disconnects the client: `signal` aborts and `closed` resolves, with the reason `client`. A
   * second call does nothing.
   */
  disconnect(): void;
}

class FakeStream extends Stream implements FakeConnection {
  readonly messages: SseMessage[] = [];

  constructor(
    request: HttpRequest,
    private readonly recorder: Recorder,
    identity: Identity | undefined,
  ) {
    const response = new StreamResponse(request, recorder.asResponse);
    const settings = streamSettings({ retry: false });
    super(request, response, settings, noHost(identity), returningClientOf(request));
  }

  get text(): string {
    return this.recorder.text;
  }

  disconnect(): void {
    this.recorder.destroy();
  }

  override write(message: SseMessage): void {
    super.write(message);
    this.messages.push(message);
  }

  override writeAlways(message: SseMessage): void {
    super.writeAlways(message);
    this.messages.push(message);
  }

  override writeEntry(entry: LoggedEvent): void {
    super.writeEntry(entry);
    this.messages.push(entry.message);
  }

  override writeLast(message: SseMessage): void {
    super.writeLast(message);
    this.messages.push(message);
  }
}

/**
 * Creates a connection, to call a handler that takes `@Connection()` without HTTP.
 * @example
 * ```ts
 * const connection = fakeConnection({ request: { user: 'ann' } });
 * await controller.welcome(connection);
 * expect(connection.messages).toEqual([{ type: 'welcome', data: 'ann' }]);
 * connection.disconnect();
 * expect(connection.signal.aborted).toBe(true);
 * ```
 * @publicApi
 */
export function fakeConnection({
  lastEventId,
  headers = {},
  request = {},
  identity,
}: FakeConnectionOptions = {}): FakeConnection {
  const fake = {
    method: 'GET',
    httpVersion: '1.1',
    httpVersionMajor: 1,
    socket: {},
    ...request,
    headers: { ...headers, ...lastEventIdHeader(lastEventId) },
  };
  return new FakeStream(fake, new Recorder(), identity);
}

/** A host without keep-alives and stall checks. */
function noHost(identity: Identity | undefined): StreamHost {
  return {
    turn: new Turn(),
    slowClients: new SlowClients(),
    opened() {},
    closed() {},
    gone() {},
    schedulePulse() {},
    identify: identity && (() => identity),
  };
}
