import type { EventLog } from './event-log.js';
import type { HistoryOptions } from './history.options.js';
import type { StateOptions } from './state.options.js';
import type { Serialize } from '../wire/frame.js';

/**
 * Creates the log of a hub, for the option `log`.
 * @publicApi
 */
export type EventLogFactory = (hub: {
  /** The name of the hub; `''` for the default hub. */
  readonly name: string;
  readonly history: Required<HistoryOptions>;
  readonly state: Required<StateOptions>;
  /** Turns the hub's data into text instead of JSON. */
  readonly serialize?: Serialize | undefined;
  /**
   * What the hub checks before it appends an event. For a log that others publish to without a hub.
   * Sizes in bytes of wire text; `false`: no limit.
   */
  readonly publishing?:
    | {
        readonly maxEventBytes: number | false;
        readonly maxRoomsPerEvent: number | false;
        /** If not, all events are ephemeral. */
        readonly keepsHistory: boolean;
        /** Whether the module option `identify` is set. */
        readonly identifies: boolean;
      }
    | undefined;
}) => EventLog;
