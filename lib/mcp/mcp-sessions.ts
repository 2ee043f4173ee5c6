import { Logger, type OnModuleDestroy } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { Subscription } from 'rxjs';
import { describe } from '../ground/errors.js';
import type { Broadcaster } from '../hub/broadcaster.js';
import { hubOf } from '../hub/hub.js';
import { defined } from '../options/defined.js';
import {
  checkSessionsOptions,
  MCP_DEFAULTS,
  type McpRequest,
  type McpSessionsOptions,
} from './mcp.options.js';
import { Readers } from './readers.js';
import { asRefusal, Refusal } from './request.js';
import { Requests } from './requests.js';
import { SessionHosts } from './session-hosts.js';

/**
 * A notification of a server, such as `{ method: 'notifications/tools/list_changed' }`.
 * @publicApi
 */
export interface McpNotification {
  method: string;
  params?: { [key: string]: unknown };
}

/** What a process tells all. */
type Control =
  { readonly ended: string } | { readonly notify: McpNotification; readonly session?: string };

/** The library's own events, such as a state, come in the same stream. */
const CONTROL = 'control';

const logger = new Logger('Sse');

/**
 * Serves MCP sessions by Streamable HTTP in any number of processes that share the hub's log. The
 * server of a session is in the process where it began. Each process takes each request: it passes
 * on what a client sends, and reads the answers from the hub, so that a client can resume in any
 * process. If a process ends, another one makes the servers of its sessions again, and answers the
 * requests that it has left with an error.
 *
 * Provide it once per process; it ends with the module. What clients send is kept in the log as
 * long as `history` says, with what a middleware has found out about the client (`request.auth`),
 * and without cookies and the header `Authorization`.
 * @throws SseOptionsError for a wrong option, and for a broadcaster that is not of this library
 * @example
 * ```ts
 * const sessions = new McpSessions(broadcaster, {
 *   createServer: () => {
 *     const server = new McpServer({ name: 'shop', version: '1.0.0' });
 *     server.registerTool('stock', {}, () => ({ content: [{ type: 'text', text: '3' }] }));
 *     return server;
 *   },
 * });
 * ```
 * @publicApi
 */
export class McpSessions implements OnModuleDestroy {
  private readonly hub: Broadcaster;
  private readonly hosts: SessionHosts;
  private readonly readers: Readers;
  private readonly room: string;
  private readonly requests: Requests;
  private starting: Promise<void> | undefined;
  private control: Subscription | undefined;

  constructor(broadcaster: Broadcaster, options: McpSessionsOptions) {
    checkSessionsOptions('', options);
    this.hub = hubOf(broadcaster);
    const all = { ...MCP_DEFAULTS, ...defined(options) };
    this.room = `${all.prefix}:control`;
    this.readers = new Readers(this.hub, all);
    this.hosts = new SessionHosts(this.hub, all, {
      isRead: (session) => this.readers.has(session),
      ended: (session) => {
        // A failure is logged by the hub.
        this.end(session).catch(() => {});
      },
    });
    const { hub, hosts, readers } = this;
    const end = (session: string): Promise<void> => this.end(session);
    this.requests = new Requests({ hub, hosts, readers, end, user: options.user });
  }

  /**
   * Answers a request of Streamable HTTP: POST, GET and DELETE; any other with 405. Resolves when
   * it is answered, or its stream has begun. Never rejects: what fails is logged and answered.
   *
   * With Fastify, call `reply.hijack()` first, and pass `request.raw` and `reply.raw`.
   * @param body what a body parser has made of a POST
   */
  async handle(request: McpRequest, response: ServerResponse, body?: unknown): Promise<void> {
    try {
      await (this.starting ??= this.start());
      await this.requests.answer(request, response, body);
    } catch (error) {
      if (!(error instanceof Refusal))
        logger.error(`A request of an MCP client has failed: ${describe(error)}`);
      if (response.headersSent) response.destroy();
      else asRefusal(error).send(response);
    }
  }

  /**
   * Sends a notification to all sessions of all processes, or to one. It comes in the stream that
   * clients open by GET. Resolves when the log has it.
   * @throws as `Broadcaster.publish()`
   * @example `await sessions.notify({ method: 'notifications/tools/list_changed' })`
   */
  async notify(notification: McpNotification, session?: string): Promise<void> {
    await this.tell({ notify: notification, ...(session !== undefined && { session }) });
  }

  /**
   * Ends a session in all processes: its server is closed, its streams end, and further requests
   * get 404. Resolves when the log has it.
   * @throws as `Broadcaster.publish()`
   */
  async end(session: string): Promise<void> {
    await this.hosts.owners.forget(session);
    await this.tell({ ended: session });
  }

  /** Ends the streams, and leaves the sessions to other processes. */
  async onModuleDestroy(): Promise<void> {
    if (this.starting === undefined) return;
    this.control?.unsubscribe();
    this.readers.end();
    await this.hosts.close().catch(() => {});
  }

  private async start(): Promise<void> {
    try {
      this.control = this.hub.stream(this.room, { connection: false }).subscribe({
        next: ({ data, type }) => {
          if (type === CONTROL) this.hear(data as Control);
        },
        error: (error: unknown) => logger.error(`McpSessions has ended: ${describe(error)}`),
      });
      await this.hosts.start();
    } catch (error) {
      this.starting = undefined;
      this.control?.unsubscribe();
      throw error;
    }
  }

  private tell(control: Control): Promise<string> {
    return this.hub.publish(this.room, { type: CONTROL, data: control });
  }

  private hear(control: Control): void {
    if ('ended' in control) {
      this.readers.end(control.ended);
      this.hosts.drop(control.ended).catch((error: unknown) => logger.error(describe(error)));
      return;
    }
    const { session, notify } = control;
    for (const id of session === undefined ? this.hosts.ids() : [session]) {
      const hosted = this.hosts.get(id);
      // A failure is logged by the hub.
      hosted?.transport.send({ jsonrpc: '2.0', ...notify }).catch(() => {});
    }
  }
}
