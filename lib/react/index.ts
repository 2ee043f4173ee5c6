/**
 * Hooks for React 18 and newer. Components that read the same URL share one connection.
 * @module nestjs-eventstream/react
 */

export { useStream } from './use-stream.js';
export type { UseStreamResult } from './use-stream.js';
export { useEvents } from './use-events.js';
// state rooms
export { useStreamState } from './use-stream-state.js';
export { usePresence } from './use-presence.js';
export type { PresentMember } from './use-presence.js';
