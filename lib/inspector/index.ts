/**
 * A page that shows the open streams of an app.
 * @module nestjs-eventstream/inspector
 */

// for `@Module({ imports })`
export { SseInspectorModule } from './inspector.module.js';
export type { SseInspectorOptions } from './inspector.options.js';

// the response of `GET …/state`
export type {
  InspectedConnection,
  InspectedConnections,
  InspectedHub,
  InspectedNote,
  InspectedNotes,
  InspectedProcess,
  InspectedRoom,
  InspectedRooms,
  InspectedTraffic,
  InspectorState,
  TrafficFigures,
} from './state.js';

// what `GET …/rooms/events` and `GET …/rooms/entries` answer
export type {
  InspectedEntry,
  InspectedEvent,
  InspectedRoomEntries,
  InspectedRoomEvents,
} from './inspected-room.js';
