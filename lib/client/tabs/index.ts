/**
 * One event stream for all tabs of an origin.
 * @module nestjs-eventstream/client/tabs
 */

export { connectTabs } from './connect-tabs.js';
export type { TabsOptions } from './tabs.options.js';
export type { SharedStream } from './shared-stream.js';
