/**
 * The events that the library itself sends.
 * @publicApi
 */
export interface ControlEvents {
  /**
   * This client has lost events of these rooms, and should reload the state that they changed.
   * `reason` as for `GapReason` of the server.
   */
  'sse-gap': { rooms: string[]; reason: 'trimmed' | 'epoch' | 'unknown' | 'overflow' };
  /** The stream has ended. If it is complete, the client does not reconnect. */
  'sse-end': { reason: string };
  /**
   * The handler failed after the stream began. The client reconnects. An `onError` of the server
   * may send other data.
   */
  'sse-error': { statusCode: number; message: string | string[] };
  /**
   * The stream is open, has these rooms, and they can change: `join()` and `leave()` send the
   * token.
   */
  'sse-open': { stream: string; rooms: string[] };
  /** From here on, the stream has these rooms. */
  'sse-rooms': { rooms: string[] };
  /**
   * The whole state of these rooms follows, as this many `sse-set` without an id. `stateOf()` reads
   * it.
   */
  'sse-state': { rooms: string[]; entries: number };
  /** An entry of a state room was set. */
  'sse-set': { room: string; key: string; value: unknown };
  /** An entry of a state room was deleted, or has expired. */
  'sse-delete': { room: string; key: string };
}

/**
 * The types of the events that a stream may send.
 * @publicApi
 */
export type StreamEventType<Events extends object> = (keyof Events & string) | keyof ControlEvents;

type DataOf<Events extends object, Type> = Type extends keyof ControlEvents
  ? ControlEvents[Type]
  : Type extends keyof Events
    ? Events[Type]
    : never;

/**
 * An event. Its `type` determines the type of its `data`. Nothing checks at run time that the
 * server sends what `Events` declares.
 * @publicApi
 */
export type StreamEvent<
  Events extends object = Record<string, unknown>,
  Type extends string = StreamEventType<Events>,
> = Type extends string
  ? {
      /** `message` if the server sent no type. */
      readonly type: Type;
      readonly data: DataOf<Events, Type>;
      /** `undefined` for an event without an id, such as an ephemeral one. */
      readonly id: string | undefined;
    }
  : never;
