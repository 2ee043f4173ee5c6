/**
 * The main entry point: module, decorators, `Broadcaster`, connections, options and errors.
 * @module nestjs-eventstream
 */

// the module
export { SseModule } from './nest/sse.module.js';
export { SSE_DEFAULTS } from './nest/module.options.js';
export type { BackpressureOptions } from './connection/backpressure.options.js';
export type { ControlError, ControlOptions } from './connection/controls.options.js';
export type { KeepAliveEvent, KeepAliveOptions } from './connection/keep-alive.options.js';
export type { SseStreamOptions, StreamOptions } from './connection/stream.options.js';
export type { CompressionOptions } from './output/compression.options.js';
export type { LimitsOptions, ShutdownOptions } from './connection/connections.options.js';
export type { RetryRange } from './options/retry.js';
export type { SseFeature } from './hub/hub.options.js';
export type { SseModuleOptions, SseOptionsFactory } from './nest/module.options.js';

// for controllers
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
export { Broadcast } from './nest/broadcast.decorator.js';
export type { BroadcastDecorator, BroadcastOptions } from './nest/broadcast.decorator.js';
export { poll } from './nest/poll.js';
export { acceptsEventStream } from './wire/negotiation.js';
export type { SseSource } from './nest/handler-result.js';
export type { SseMap } from './connection/stream.options.js';
export type { Serialize, SseMessage } from './wire/frame.js';

// connections
export { SseConnection } from './connection/sse-connection.js';
export type { Identify } from './connection/identify.js';
export type { Identity } from './connection/identity.js';
export type { CloseReason } from './connection/close-reason.js';
export type { HttpRequest } from './output/request.js';
export { SseConnections } from './connection/sse-connections.js';
export type { ClosedConnection } from './connection/sse-connections.js';
export type { Overflow } from './output/backlog.js';

// authorization
export type { Authorize, Authorized } from './connection/authorization.js';
export type { AuthorizeRoom, AuthorizeRooms } from './connection/room-rules.js';
export type { RoomParams } from './options/room-pattern.js';

// publishing
export { Broadcaster, getBroadcasterToken } from './hub/broadcaster.js';
export type { Emitter, HistoryPage } from './hub/broadcaster.js';
export type { RoomHook, RoomHookOptions, RoomTeardown } from './hub/room-hooks.js';
export type { EmitOptions, HubOptions, HubStreamOptions, LastEvent } from './hub/hub.options.js';
export type {
  PresenceChange,
  PresenceMember,
  PresenceOptions,
  RoomMember,
} from './hub/presence.options.js';
export type { RoomsChange, RoomsChangeOptions, RoomsInForce } from './hub/room-requests.js';
export type { ChangeOptions, SetOptions, StateEntry, StateRoom } from './hub/state-room.js';
export type { EventData, EventMap, EventType, PublishedEvent, SseEvent } from './log/event.js';

// health
export { SseHealth } from './nest/health.js';
export type { SseHealthResult } from './nest/health.js';

// diagnostics
export { SSE_CHANNELS } from './ground/channels.js';
export type { RefusalReason } from './connection/diagnostics.js';
export type { SseDiagnostics } from './hub/diagnostics.js';

// event logs
export type {
  Appended,
  EventLog,
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
export type { EventLogFactory } from './log/event-log-factory.js';
export type { EntryChange, EntryEnd, EntryTtl, RoomEntries } from './log/entries.js';
export type { HistoryOptions } from './log/history.options.js';
export type { StateOptions } from './log/state.options.js';
export type { LoggedEvent } from './log/event.js';
export type { Cursor } from './wire/cursor.js';

// errors
export {
  SseClosedError,
  SseConflictError,
  SseError,
  SseInvalidEventError,
  SseInvalidFieldError,
  SseLimitError,
  SseNotStreamableError,
  SseOptionsError,
  SseSerializeError,
} from './ground/errors.js';
export { SseRoomsError } from './ground/rooms-error.js';
export type { SchemaProblem, SseErrorCode } from './ground/errors.js';
