/**
 * A client for browsers and Node, based on `fetch`.
 * @module nestjs-eventstream/client
 */

export { connect } from './connect.js';
export type { ConnectOptions, ContractConnectOptions, CursorStorage } from './connect.options.js';
// the stream and its events
export type { EventStream } from './event-stream.js';
export type { StreamEnd, StreamObserver, StreamState } from './stream-state.js';
export type { ControlEvents, StreamEvent, StreamEventType } from './stream-event.js';
export type { RoomState, StateChange } from './room-state.js';
// errors
export { SseClientError } from './client-error.js';
export type { SseClientErrorCode } from './client-error.js';
