import type { Subscriber } from 'rxjs';
import type { Authorize } from '../connection/authorization.js';
import type { LimitsOptions } from '../connection/connections.options.js';
import type { Stream } from '../connection/stream.js';
import type { EventMap, PublishedEvent } from '../log/event.js';
import { KEEPS_TAIL } from '../wire/protocol.js';
import type { Delivery } from './delivery.js';
import type { HubStreamOptions } from './hub.options.js';
import type { Presence } from './presence.js';
import type { RoomRequests } from './room-requests.js';
import type { StateHub } from './state.js';

/** What streams need of their hub. */
export interface StreamHub extends StateHub {
  readonly delivery: Delivery;
  readonly limits: LimitsOptions;
  readonly authorize: Authorize | undefined;
  readonly isClosed: boolean;
  readonly presence: Presence;
  readonly roomRequests: RoomRequests;
  /** How long the log keeps events, in milliseconds. */
  readonly keepMs: number;
  /** @throws SseError `SSE_OPTIONS` */
  requireHistory(call: string): void;
}

/** One call of `Broadcaster.stream()`. */
export interface StreamCall {
  readonly hub: StreamHub;
  readonly rooms: readonly string[];
  readonly options: HubStreamOptions<EventMap>;
  readonly subscriber: Subscriber<PublishedEvent>;
  readonly authorize: Authorize | undefined;
}

/** Whether the client is that of this library, which keeps what an id says beside the cursors. */
export function keepsTail({ request }: Stream): boolean {
  return request.headers.accept?.includes(KEEPS_TAIL) === true;
}
