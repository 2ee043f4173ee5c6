/**
 * A page that shows the open streams of a process.
 * @module nestjs-eventstream/inspector
 */

// for `@Module({ imports })`
export { SseInspectorModule } from './inspector.module.js';
export type { SseInspectorOptions } from './inspector.options.js';

// the response of `GET …/state`
export type {
  InspectedConnection,
  InspectedHub,
  InspectedNote,
  InspectedRoom,
  InspectedTraffic,
  InspectorState,
  TrafficFigures,
} from './state.js';
