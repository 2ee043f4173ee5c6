import type {
  Transport,
  TransportSendOptions,
} from '@modelcontextprotocol/sdk/shared/transport.js';
import type {
  JSONRPCMessage,
  MessageExtraInfo,
  RequestId,
} from '@modelcontextprotocol/sdk/types.js';
import { SseLimitError } from '../ground/errors.js';
import { GET_STREAM } from './event-id.js';
import { cancelledBy, errorResponse, INTERNAL_ERROR, isRequest, isResponse } from './json-rpc.js';

/** Where the messages of a server go. */
export interface Outbound {
  /**
   * @param message `null` for the end alone
   * @param isLast no message follows in this stream
   * @param answers whether it is a response, which is noted with the requests too
   */
  publish(
    stream: string,
    message: JSONRPCMessage | null,
    is: { isLast: boolean; answers: boolean },
  ): Promise<unknown>;
  /** The server has closed its transport. */
  closed(): void;
}

/** The requests of one POST that have no response yet. */
interface OpenStream {
  readonly id: string;
  readonly open: Set<RequestId>;
}

/**
 * The transport of a server, in the process that has it. It knows no connection: it publishes to
 * the streams of its session, whose readers may be anywhere.
 */
export class SessionTransport implements Transport {
  onmessage: Transport['onmessage'];
  onclose: Transport['onclose'];
  onerror: Transport['onerror'];
  /** Sees each response first; with `true`, it is not sent. */
  intercept: ((message: JSONRPCMessage) => Promise<boolean>) | undefined;
  private readonly streams = new Map<RequestId, OpenStream>();

  constructor(
    readonly sessionId: string,
    private readonly outbound: Outbound,
    /**
     * Part of the ids of the server's own requests, so that a late response to a server that has
     * ended is not taken for one to the server that replaced it.
     */
    private readonly tag: string,
  ) {}

  async start(): Promise<void> {}

  async close(): Promise<void> {
    this.streams.clear();
    this.onclose?.();
    this.outbound.closed();
  }

  /** Gives the server what a client has sent. Responses to its requests go to the stream. */
  receive(stream: string, messages: readonly JSONRPCMessage[], extra: MessageExtraInfo): void {
    const requests = messages.filter(isRequest).map(({ id }) => id);
    const entry = { id: stream, open: new Set(requests) };
    for (const id of requests) this.streams.set(id, entry);
    for (const message of messages) {
      const own = this.untagged(message);
      if (own !== undefined) this.onmessage?.(own, extra);
      const cancelled = cancelledBy(message);
      if (cancelled !== undefined) this.forget(cancelled);
    }
  }

  /** A server does not respond to a request that its client has cancelled. */
  private forget(id: RequestId): void {
    const stream = this.streams.get(id);
    this.streams.delete(id);
    stream?.open.delete(id);
    if (stream?.open.size !== 0) return;
    const is = { isLast: true, answers: false };
    this.outbound.publish(stream.id, null, is).catch((error: Error) => this.onerror?.(error));
  }

  async send(message: JSONRPCMessage, options: TransportSendOptions = {}): Promise<void> {
    if (isResponse(message)) return this.respond(message);
    const { relatedRequestId } = options;
    const stream = relatedRequestId === undefined ? GET_STREAM : this.streamOf(relatedRequestId).id;
    await this.outbound.publish(stream, this.tagged(message), { isLast: false, answers: false });
  }

  private async respond(message: JSONRPCMessage & { id?: RequestId | undefined }): Promise<void> {
    if ((await this.intercept?.(message)) === true) return;
    const id = message.id ?? '';
    const stream = this.streamOf(id);
    this.streams.delete(id);
    stream.open.delete(id);
    const is = { isLast: stream.open.size === 0, answers: true };
    try {
      await this.outbound.publish(stream.id, message, is);
    } catch (error) {
      if (!(error instanceof SseLimitError)) throw error;
      const instead = errorResponse(
        id,
        INTERNAL_ERROR,
        `The response was not sent: ${error.message}`,
      );
      await this.outbound.publish(stream.id, instead, is);
    }
  }

  private streamOf(id: RequestId): OpenStream {
    const stream = this.streams.get(id);
    if (stream === undefined)
      throw new Error(`the client's request ${String(id)} is no longer open`);
    return stream;
  }

  private tagged(message: JSONRPCMessage): JSONRPCMessage {
    if (isRequest(message)) return { ...message, id: `${this.tag}-${message.id}` };
    if (!('method' in message) || message.method !== 'notifications/cancelled') return message;
    const { params } = message;
    return {
      ...message,
      params: { ...params, requestId: `${this.tag}-${String(params?.['requestId'])}` },
    };
  }

  /** A response with the id that the server gave; `undefined` for one to another server. */
  private untagged(message: JSONRPCMessage): JSONRPCMessage | undefined {
    if (!isResponse(message) || message.id === undefined) return message;
    const id = String(message.id);
    if (!id.startsWith(`${this.tag}-`)) return undefined;
    return { ...message, id: Number(id.slice(this.tag.length + 1)) };
  }
}
