/**
 * Streams that all components of a page share, for Vue, Angular, Svelte and others. Runs in
 * browsers, loads no package, and opens nothing while a server renders. React has hooks of its own.
 * @module nestjs-eventstream/shared
 */

export { sharedStream } from './shared-stream.js';
export type { SharedStream } from './shared-stream.js';
export type { ContractSharedOptions, SharedOptions } from './shared-stream.options.js';
export type { StateEntries, Store, StreamStatus } from './store.js';
// TanStack Query
export { updateQueries } from './update-queries.js';
export type { QueriesClient, QueryUpdates } from './update-queries.js';
