import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Broadcaster } from '../hub/broadcaster.js';
import { GET_STREAM } from './event-id.js';
import { EVENT, INBOX, type Received } from './hosted-session.js';
import { INVALID_REQUEST, isInitialize, isRequest, messagesOf } from './json-rpc.js';
import type { McpRequest, McpSessionsOptions } from './mcp.options.js';
import type { Readers, Source } from './readers.js';
import {
  checkMedia,
  checkVersion,
  headerOf,
  Refusal,
  sessionIdOf,
  shownHeaders,
  takesIds,
} from './request.js';
import type { SessionHosts } from './session-hosts.js';

interface RequestsHost {
  readonly hub: Broadcaster;
  readonly hosts: SessionHosts;
  readonly readers: Readers;
  readonly user: McpSessionsOptions['user'];
  end(session: string): Promise<void>;
}

/** What a request needs of its session. */
interface KnownSession {
  readonly id: string;
  readonly owner: string;
  readonly takesIds: boolean;
}

/** What is answered to the requests of Streamable HTTP. */
export class Requests {
  constructor(private readonly host: RequestsHost) {}

  /** @throws Refusal, and what the hub rejects with */
  async answer(request: McpRequest, response: ServerResponse, body: unknown): Promise<void> {
    if (request.method === 'POST') return this.post(request, response, body);
    if (request.method === 'GET') return this.get(request, response);
    if (request.method === 'DELETE') return this.delete(request, response);
    throw new Refusal(405, 'Method Not Allowed');
  }

  private async post(request: McpRequest, response: ServerResponse, body: unknown): Promise<void> {
    checkMedia(request);
    const messages = messagesOf(body);
    if (messages === undefined) {
      throw new Refusal(400, 'Bad Request: the body is no JSON-RPC message, or too many', -32_700);
    }
    const begins = messages.some(isInitialize);
    if (begins && (messages.length > 1 || headerOf(request, 'mcp-session-id') !== undefined)) {
      throw new Refusal(
        400,
        'Invalid Request: initialize begins a session, alone',
        INVALID_REQUEST,
      );
    }
    const session = begins ? await this.begin(request, messages[0]) : await this.find(request);
    const source = this.source(session.id, randomUUID());
    if (!messages.some(isRequest)) {
      await this.deliver(request, session, source, messages);
      response.writeHead(202).end();
      return;
    }
    // Before the server can answer.
    const reading = await this.host.readers.begin(source);
    try {
      await this.deliver(request, session, source, messages);
    } catch (error) {
      reading.close();
      throw error;
    }
    this.host.readers.read(response, session.id, reading, session.takesIds);
  }

  private async get(request: McpRequest, response: ServerResponse): Promise<void> {
    checkMedia(request);
    const session = await this.find(request);
    const id = headerOf(request, 'last-event-id');
    if (id === undefined) {
      const reading = await this.host.readers.begin(this.source(session.id, GET_STREAM));
      return this.host.readers.read(response, session.id, reading, session.takesIds);
    }
    const place = await this.host.hosts.roomsOf(session.id).find(id);
    if (place === undefined) {
      const why = 'it is not an id of this session, or its event is no longer kept';
      throw new Refusal(400, `Bad Request: Last-Event-ID: ${why}`);
    }
    await this.host.readers.resume(response, this.source(session.id, place.stream), place, id);
  }

  private async delete(request: McpRequest, response: ServerResponse): Promise<void> {
    await this.host.end((await this.find(request)).id);
    response.writeHead(200).end();
  }

  private async begin(request: McpRequest, initialize?: JSONRPCMessage): Promise<KnownSession> {
    const id = await this.host.hosts.begin(this.host.user?.(request));
    this.host.hosts.use(id);
    const { params } = initialize as { params?: { protocolVersion?: unknown } };
    const takes = takesIds(params?.protocolVersion);
    return { id, owner: this.host.hosts.owners.address, takesIds: takes };
  }

  /** @throws Refusal if there is no such session, or it is of another user */
  private async find(request: McpRequest): Promise<KnownSession> {
    const id = sessionIdOf(request);
    const record = await this.host.hosts.find(id);
    if (record === undefined || this.host.user?.(request) !== record.user) {
      throw new Refusal(404, 'Session not found', -32_001);
    }
    checkVersion(request, record.version);
    this.host.hosts.use(id);
    return { id, owner: record.owner, takesIds: takesIds(record.version) };
  }

  /** To the process that has the server, which may be this one. */
  private async deliver(
    { headers, url = '/', auth }: McpRequest,
    session: KnownSession,
    { rooms, stream }: Source,
    messages: readonly JSONRPCMessage[],
  ): Promise<void> {
    const received: Received = {
      to: session.owner,
      stream,
      messages,
      headers: shownHeaders(headers),
      ...(headers.host !== undefined && { url: `http://${headers.host}${url}` }),
      ...(auth !== undefined && { auth }),
      takesIds: session.takesIds,
    };
    await this.host.hub.publish(rooms.of(INBOX), { type: EVENT.received, data: received });
  }

  private source(session: string, stream: string): Source {
    return { session, stream, rooms: this.host.hosts.roomsOf(session) };
  }
}
