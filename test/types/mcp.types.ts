import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { EventStore } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { EventStore as NextEventStore, ServerEventBus } from '@modelcontextprotocol/server';
import type { Broadcaster } from 'nestjs-eventstream';
import { hubEventStore, hubServerEventBus, McpSessions } from 'nestjs-eventstream/mcp';

declare const broadcaster: Broadcaster;
declare const typed: Broadcaster<{ order: { no: number } }>;
declare const low: Server;

const store: EventStore = hubEventStore(broadcaster, { session: 's' });
const next: NextEventStore = hubEventStore(typed, { session: 's', prefix: 'p' });
const bus: ServerEventBus = hubServerEventBus(typed);
void [store, next, bus];
// @ts-expect-error a session
hubEventStore(broadcaster, {});
// @ts-expect-error a known kind
hubServerEventBus(broadcaster).publish({ kind: 'other' });

const createServer = ({ id, user }: { id: string; user: string | undefined }) =>
  new McpServer({ name: id, version: user ?? '' });
const sessions = new McpSessions(broadcaster, { createServer });
void new McpSessions(broadcaster, {
  createServer: async () => low,
  retryMs: false,
  keepAliveMs: false,
});
// @ts-expect-error a server
void new McpSessions(broadcaster, { createServer: () => ({}) });
// @ts-expect-error what makes servers
void new McpSessions(broadcaster, {});
void sessions.notify({ method: 'notifications/tools/list_changed' }, 'session');
// @ts-expect-error a method
void sessions.notify({});
