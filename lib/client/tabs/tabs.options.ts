import type { ConnectOptions } from '../connect.options.js';

/**
 * The options of `connectTabs()`: those of `connect()`, and how tabs share the stream. The request
 * is made by the options of the tab that leads, so they should be the same in all tabs; `parse` and
 * the checks of a contract are each tab's own.
 * @publicApi
 */
export interface TabsOptions extends ConnectOptions {
  /**
   * Tabs share a stream if they have the same URL and the same name. Needed if requests to one URL
   * differ in something else, such as the `body` or the user.
   * @default ''
   */
  name?: string;
  /**
   * How long the leading tab may be silent, in milliseconds, before another tab takes over. It
   * answers from the background too, so only a tab that the browser has frozen or whose scripts
   * hang is silent. `false` switches it off.
   * @default 8_000
   */
  takeOverMs?: number | false;
  /**
   * The rooms of an event. With it, a tab does not get the events of rooms that only other tabs
   * have joined. It is not called for events of the library, which name their rooms.
   * @default every tab gets the events of the rooms of all tabs
   */
  roomsOf?: (event: {
    readonly type: string;
    readonly data: unknown;
    readonly id: string | undefined;
  }) => string | readonly string[];
}
