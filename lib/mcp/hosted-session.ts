import { Logger } from '@nestjs/common';
import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/sdk/types.js';
import { Subscription } from 'rxjs';
import { Deferred } from '../ground/deferred.js';
import { describe } from '../ground/errors.js';
import type { Broadcaster } from '../hub/broadcaster.js';
import type { SseEvent } from '../log/event.js';
import {
  cancelledBy,
  errorResponse,
  INTERNAL_ERROR,
  isInitialize,
  isRequest,
  isResponse,
} from './json-rpc.js';
import type { McpServerLike, McpSession } from './mcp.options.js';
import type { SessionRecord } from './owners.js';
import type { SessionRooms } from './session-rooms.js';
import { SessionTransport } from './session-transport.js';

/** The room of a session with what its clients have sent, and the responses. */
export const INBOX = 'in';

/** The types of the events in the rooms of a session. */
export const EVENT = {
  /** A stream begins; its position is where a client resumes that has got nothing. */
  begin: 'begin',
  message: 'message',
  /** The last message of a stream, or `null`. */
  end: 'end',
  /** Not kept: the connections of the stream are to come back. */
  close: 'close',
  /** Not kept: another connection reads the stream from now on. */
  taken: 'taken',
  /** What a client has sent, in the inbox. */
  received: 'received',
} as const;

/** What a client has sent by one POST, on its way to the process that has the server. */
export interface Received {
  /** The process that is to take it. */
  readonly to: string;
  readonly stream: string;
  readonly messages: readonly JSONRPCMessage[];
  readonly headers: Record<string, string | string[] | undefined>;
  readonly url?: string;
  readonly auth?: unknown;
  readonly takesIds: boolean;
}

interface Host {
  readonly broadcaster: Broadcaster;
  readonly address: string;
  createServer(session: McpSession): McpServerLike | Promise<McpServerLike>;
  isAlive(address: string): Promise<boolean>;
  /** Called before the client learns that the session has begun. */
  begun(session: string, record: SessionRecord): Promise<void>;
  /** The server has closed itself, or has refused to begin. */
  ended(session: HostedSession): void;
}

const logger = new Logger('Sse');
/** The id of the request that this process repeats for a server that replaces another. */
const AGAIN = 'initialize-again';

/** A session whose server is in this process. */
export class HostedSession {
  readonly transport: SessionTransport;
  /** Known from when the session has begun. */
  record: SessionRecord | undefined;
  private isClosing = false;
  private readonly inbox = new Subscription();
  private server: McpServerLike | undefined;
  private initialize: JSONRPCMessage | undefined;

  constructor(
    private readonly host: Host,
    readonly facts: McpSession,
    private readonly rooms: SessionRooms,
  ) {
    const tag = host.address.slice(0, 8);
    this.transport = new SessionTransport(facts.id, this, tag);
  }

  /** A new session: its `initialize` comes by the inbox, as all that follows. */
  async begin(): Promise<void> {
    await this.connect();
    this.transport.intercept = async (message) => {
      this.transport.intercept = undefined;
      const { result } = message as { result?: { protocolVersion: string } };
      if (result === undefined || this.initialize === undefined) {
        setImmediate(() => this.host.ended(this));
        return false;
      }
      const { initialize, facts } = this;
      const { protocolVersion: version } = result;
      this.record = { owner: this.host.address, initialize, version, user: facts.user };
      await this.host.begun(facts.id, this.record);
      return false;
    };
    this.read();
  }

  /** A session whose process has ended: what is in the inbox after `cursor` is for this one. */
  async replace(record: SessionRecord, cursor: string): Promise<void> {
    this.record = record;
    await this.connect();
    const answered = new Deferred<void>();
    this.transport.intercept = async () => {
      this.transport.intercept = undefined;
      answered.resolve();
      return true;
    };
    this.transport.onmessage?.({ ...record.initialize, id: AGAIN });
    await answered.promise;
    this.transport.onmessage?.({ jsonrpc: '2.0', method: 'notifications/initialized' });
    await this.answerLost();
    this.read(cursor);
  }

  /** The session may go on in another process. */
  async close(): Promise<void> {
    this.isClosing = true;
    this.inbox.unsubscribe();
    await this.server?.close();
  }

  publish(
    stream: string,
    message: JSONRPCMessage | null,
    { isLast, answers }: { isLast: boolean; answers: boolean },
  ): Promise<unknown> {
    const rooms = [stream, ...(answers ? [INBOX] : [])].map((name) => this.rooms.of(name));
    const type = isLast ? EVENT.end : EVENT.message;
    return this.host.broadcaster.publish(rooms, { type, data: message });
  }

  closed(): void {
    if (!this.isClosing) this.host.ended(this);
  }

  private async connect(): Promise<void> {
    this.server = await this.host.createServer(this.facts);
    await this.server.connect(this.transport);
  }

  private read(lastEventId?: string): void {
    const from = lastEventId === undefined ? {} : { lastEventId };
    const events$ = this.host.broadcaster.stream(this.rooms.of(INBOX), {
      ...from,
      connection: false,
    });
    this.inbox.add(
      events$.subscribe({
        next: (event) => this.take(event),
        error: (error: unknown) => logger.error(`An MCP session has ended: ${describe(error)}`),
      }),
    );
  }

  private take({ type, data }: SseEvent): void {
    if (type === 'sse-gap') {
      logger.error('Requests of an MCP session were lost: see `history` of the hub');
    }
    if (type !== EVENT.received) return;
    const received = data as Received;
    if (received.to !== this.host.address) return void this.refuseIfLost(received);
    this.initialize ??= received.messages.find(isInitialize);
    const { stream, messages, headers, url, auth } = received;
    const closing = {
      closeSSEStream: () => this.closeReaders(stream),
      closeStandaloneSSEStream: () => this.closeReaders('_GET_stream'),
    };
    this.transport.receive(stream, messages, {
      requestInfo: { headers, ...(url !== undefined && { url: new URL(url) }) },
      ...(auth !== undefined && { authInfo: auth as never }),
      ...(received.takesIds && messages.some(isRequest) && closing),
    });
  }

  private closeReaders(stream: string): void {
    const message = { type: EVENT.close, data: '' };
    // A rejection is logged by the hub, and ends no process.
    void this.host.broadcaster.publish(this.rooms.of(stream), message, { ephemeral: true });
  }

  /** Answers the requests that the process before this one has left without a response. */
  private async answerLost(): Promise<void> {
    const open = new Map<RequestId, Received>();
    const { events } = await this.host.broadcaster.history(this.rooms.of(INBOX));
    for (const { type, data } of events) {
      if (type !== EVENT.received) {
        if (isResponse(data as JSONRPCMessage)) open.delete((data as { id: RequestId }).id);
        continue;
      }
      const received = data as Received;
      for (const message of received.messages) {
        if (isRequest(message)) open.set(message.id, received);
        const cancelled = cancelledBy(message);
        if (cancelled !== undefined) open.delete(cancelled);
      }
    }
    for (const received of new Set(open.values())) {
      if (received.to !== this.host.address) await this.refuse(received, open);
    }
  }

  /** For what was sent to another process: it takes it, if it still lives. */
  private async refuseIfLost(received: Received): Promise<void> {
    try {
      if (!(await this.host.isAlive(received.to))) await this.refuse(received);
    } catch (error) {
      logger.error(`A request of an MCP session has no answer: ${describe(error)}`);
    }
  }

  private async refuse(
    { stream, messages }: Received,
    open: ReadonlyMap<RequestId, unknown> = new Map(
      messages.map((m) => [(m as { id: RequestId }).id, m]),
    ),
  ): Promise<void> {
    const ids = messages
      .filter(isRequest)
      .map(({ id }) => id)
      .filter((id) => open.has(id));
    const text = 'The process that worked on this request has ended: ask again';
    for (const [n, id] of ids.entries()) {
      const is = { isLast: n === ids.length - 1, answers: true };
      // A failure is logged by the hub.
      await this.publish(stream, errorResponse(id, INTERNAL_ERROR, text), is).catch(() => {});
    }
  }
}
