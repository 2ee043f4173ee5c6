/**
 * What an app imports: the module, decorators, `Broadcaster`, open streams, options and errors.
 * @module nestjs-eventstream
 */

// the module
export { SseModule } from './nest/sse.module.js';
export { SSE_DEFAULTS } from './nest/module.options.js';
export type {
  BackpressureOptions,
  KeepAliveOptions,
  SseStreamOptions,
  StreamOptions,
} from './connection/stream.options.js';
export type { LimitsOptions, ShutdownOptions } from './connection/connections.options.js';
export type { RetryRange } from './options/retry.js';
export type { SseFeature } from './hub/hub.options.js';
export type { SseModuleOptions, SseOptionsFactory } from './nest/module.options.js';

// what a controller author types
export {
  Connection,
  InjectBroadcaster,
  LastEventId,
  SseData,
  SseId,
  SseRetry,
  SseStream,
  SseType,
} from './nest/sse.decorators.js';
export { poll } from './nest/poll.js';
export { acceptsEventStream } from './wire/negotiation.js';
export type { SseSource } from './nest/handler-result.js';
export type { SseMap } from './connection/stream.options.js';
export type { Serialize, SseMessage } from './wire/frame.js';

// open streams
export { SseConnection } from './connection/sse-connection.js';
export type { CloseReason } from './connection/close-reason.js';
export type { HttpRequest } from './output/request.js';
export { SseConnections } from './connection/sse-connections.js';
export type { ClosedConnection } from './connection/sse-connections.js';
export type { Overflow } from './output/backlog.js';

// who may read
export type { Authorize, Authorized } from './connection/authorization.js';

// what a service injects
export { Broadcaster, getBroadcasterToken } from './hub/broadcaster.js';
export type { Emitter, HistoryPage } from './hub/broadcaster.js';
export type { EmitOptions, HubOptions, HubStreamOptions } from './hub/hub.options.js';
export type { EventData, EventMap, EventType, PublishedEvent, SseEvent } from './log/event.js';

// whether events arrive
export { SseHealth } from './nest/health.js';
export type { SseHealthResult } from './nest/health.js';

// what goes on
export { SSE_CHANNELS } from './ground/channels.js';
export type { RefusalReason } from './connection/diagnostics.js';
export type { SseDiagnostics } from './hub/diagnostics.js';

// where events are kept
export type {
  Appended,
  EventLog,
  EventLogFactory,
  EventLogReads,
  Gap,
  GapReason,
  Head,
  LogFollower,
  NewEvent,
  RoomEntry,
  RoomsRange,
  RoomsRead,
  RoomState,
} from './log/event-log.js';
export type { HistoryOptions } from './log/history.options.js';
export type { LoggedEvent } from './log/event.js';
export type { Cursor } from './wire/cursor.js';

// what goes wrong
export {
  SseClosedError,
  SseError,
  SseInvalidFieldError,
  SseLimitError,
  SseNotStreamableError,
  SseOptionsError,
  SseSerializeError,
} from './ground/errors.js';
export type { SseErrorCode } from './ground/errors.js';
