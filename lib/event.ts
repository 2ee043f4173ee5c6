import { formatCursor, type Position } from './cursor.js';
import { idField, type FrameParts, type SseMessage } from './frame.js';

/**
 * The events of a hub: a type name each, with the type of its data.
 * @example `interface OrderEvents { created: Order; shipped: { no: number } }`
 * @publicApi
 */
export type EventMap = Record<string, unknown>;

/**
 * An event as a log keeps it and hands it on.
 * @publicApi
 */
export interface LoggedEvent {
  readonly epoch: string;
  /** `undefined`: ephemeral, for those who are there, without a place in the log. */
  readonly position: Position | undefined;
  readonly rooms: readonly string[];
  readonly message: SseMessage;
  readonly parts: FrameParts;
}

/**
 * A published event. Its own properties are the fields of its message, so it can be copied by spread:
 * `{ ...event, data: f(event.data) }` is a new message with the same id.
 * @publicApi
 */
export interface PublishedEvent<
  Type extends string | undefined = string | undefined,
  Data = unknown,
> {
  readonly data: Data;
  readonly type: Type;
  /** The cursor: its position in the hub, as text. Absent on an ephemeral event. */
  readonly id?: string;
  readonly retry?: number;
  readonly comment?: string | readonly string[];
  /** The rooms it was published to; not copied by spread. */
  readonly rooms: readonly string[];
}

/** A published event on its way to the readers: it carries its wire text, which is made once. */
export class HubEvent implements PublishedEvent {
  declare readonly data: unknown;
  declare readonly type: string | undefined;
  declare readonly id?: string;
  readonly #logged: LoggedEvent;
  #frame: string | undefined;
  #withoutId: HubEvent | undefined;

  constructor(logged: LoggedEvent) {
    const { epoch, position, message } = logged;
    Object.assign(this, message);
    if (position !== undefined) this.id = formatCursor({ epoch, position });
    this.#logged = logged;
  }

  get rooms(): readonly string[] {
    return this.#logged.rooms;
  }

  get position(): Position | undefined {
    return this.#logged.position;
  }

  get frame(): string {
    return (this.#frame ??= this.frameWith(this.id));
  }

  /** For a stream whose ids are not the hub's: the same event without its place. Made once, as the frame. */
  get withoutId(): HubEvent {
    const { epoch, rooms, message, parts } = this.#logged;
    this.#withoutId ??= new HubEvent({ epoch, position: undefined, rooms, message, parts });
    return this.#withoutId;
  }

  /** For a client that reads several hubs, whose last event ID says where it stands in all of them. */
  frameWith(id: string | number | undefined): string {
    const { beforeId, afterId } = this.#logged.parts;
    return `${beforeId}${id === undefined ? '' : idField(id)}${afterId}`;
  }
}

/**
 * An event of a hub with the events `Events`; its `type` tells the type of its `data`.
 * @publicApi
 */
export type SseEvent<Events extends object = EventMap> = [keyof Events] extends [never]
  ? PublishedEvent
  : {
      [Type in EventType<Events>]: PublishedEvent<Type, EventData<Events, Type>>;
    }[EventType<Events>];

/**
 * The types of the events in a map; of the empty one, which stands for an unknown one, any.
 * @publicApi
 */
export type EventType<Events extends object> = [keyof Events] extends [never]
  ? string
  : keyof Events & string;

/**
 * The data of the events of one type.
 * @publicApi
 */
export type EventData<Events extends object, Type extends string> = Type extends keyof Events
  ? Events[Type]
  : unknown;
