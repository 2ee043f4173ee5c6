/**
 * What the library itself tells a client.
 * @publicApi
 */
export interface ControlEvents {
  /** Events of these rooms are lost to this client; it should load what they changed. */
  'sse-gap': { rooms: string[]; reason: 'trimmed' | 'epoch' | 'unknown' | 'overflow' };
  /** The stream is complete; the client closes and does not come back. */
  'sse-end': { reason: string };
  /**
   * The handler failed after the stream began; the client comes back. An `onError` of the server
   * may send other data.
   */
  'sse-error': { statusCode: number; message: string | string[] };
}

/**
 * The names of the events that a stream may bring.
 * @publicApi
 */
export type StreamEventType<Events extends object> = (keyof Events & string) | keyof ControlEvents;

type DataOf<Events extends object, Type> = Type extends keyof ControlEvents
  ? ControlEvents[Type]
  : Type extends keyof Events
    ? Events[Type]
    : never;

/**
 * An event as it came; its `type` tells the type of its `data`. Nothing checks at run time that the
 * server keeps to `Events`.
 * @publicApi
 */
export type StreamEvent<
  Events extends object = Record<string, unknown>,
  Type extends string = StreamEventType<Events>,
> = Type extends string
  ? {
      /** `message` where the server named none. */
      readonly type: Type;
      readonly data: DataOf<Events, Type>;
      /** Absent where it came without one, such as an ephemeral event. */
      readonly id: string | undefined;
    }
  : never;
