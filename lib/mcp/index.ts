/**
 * Model Context Protocol over several processes: where its events are kept, and who answers a
 * request. Loads nothing of the SDK.
 * @module nestjs-eventstream/mcp
 */

// for a controller: sessions that any process serves
export { McpSessions } from './mcp-sessions.js';
export type { McpNotification } from './mcp-sessions.js';
export type { McpRequest, McpServerLike, McpSession, McpSessionsOptions } from './mcp.options.js';
// for a transport of the SDK
export { hubEventStore } from './event-store.js';
export type { HubEventStoreOptions } from './event-store.js';
// for createMcpHandler() of the SDK's second version
export { hubServerEventBus } from './server-event-bus.js';
export type {
  HubServerEvent,
  HubServerEventBus,
  HubServerEventBusOptions,
} from './server-event-bus.js';
