/**
 * What an app imports: the module, decorators, `Broadcaster`, open streams, options and errors.
 * @module nestjs-eventstream
 */

// the module
export { SseModule } from './sse.module.js';
export { SSE_DEFAULTS } from './sse.options.js';
export type {
  BackpressureOptions,
  KeepAliveOptions,
  LimitsOptions,
  RetryRange,
  ShutdownOptions,
  SseFeature,
  SseModuleOptions,
  SseOptionsFactory,
  SseStreamOptions,
  StreamOptions,
} from './sse.options.js';

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
} from './sse.decorators.js';
export { poll } from './poll.js';
export { acceptsEventStream } from './negotiation.js';
export type { SseSource } from './source.js';
export type { SseMap } from './message.js';
export type { Serialize, SseMessage } from './frame.js';

// open streams
export { SseConnection } from './connection.js';
export type { CloseReason } from './connection.js';
export type { HttpRequest } from './response.js';
export { SseConnections } from './connections.js';
export type { ClosedConnection } from './connections.js';
export type { Overflow } from './backlog.js';

// who may read
export type { Authorize, Authorized } from './authorization.js';

// what a service injects
export { Broadcaster, getBroadcasterToken } from './broadcaster.js';
export type { Emitter, HistoryPage } from './broadcaster.js';
export type { EmitOptions, HubOptions, HubStreamOptions } from './hub.options.js';
export type { EventData, EventMap, EventType, PublishedEvent, SseEvent } from './event.js';

// whether events arrive
export { SseHealth } from './health.js';
export type { SseHealthResult } from './health.js';

// what goes on
export { SSE_CHANNELS } from './diagnostics.js';
export type { RefusalReason, SseDiagnostics } from './diagnostics.js';

// where events are kept
export type {
  Appended,
  EventLog,
  EventLogFactory,
  EventLogReads,
  Gap,
  GapReason,
  Head,
  HistoryOptions,
  LogFollower,
  NewEvent,
  RoomEntry,
  RoomsRange,
  RoomsRead,
  RoomState,
} from './event-log.js';
export type { LoggedEvent } from './event.js';
export type { FrameParts } from './frame.js';

// what goes wrong
export {
  SseClosedError,
  SseError,
  SseInvalidFieldError,
  SseLimitError,
  SseNotStreamableError,
  SseOptionsError,
  SseSerializeError,
} from './errors.js';
export type { SseErrorCode } from './errors.js';
