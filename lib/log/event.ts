import { formatCursor, type Position } from '../wire/cursor.js';
import { frameOf, type SseMessage } from '../wire/frame.js';
import { JsonText } from './published-message.js';

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
  /** The wire text without its id and the blank line at its end. */
  readonly body: string;
}

/**
 * A published event, as it was when it was published: all readers share it, so it is frozen, and so
 * is its `data`, which is what JSON makes of what was published, or a `Buffer` for bytes. Its own
 * properties are the fields of its message, so it can be copied by spread: `{ ...event, data:
 * f(event.data) }` is a new message with the same id.
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

/** What `console.log()` asks for: the fields of an event, as `data` would be shown as a getter. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/**
 * A published event on its way to the readers. All of them get this one object: it carries the wire
 * text, which is made once, and nobody can change what the others see.
 */
export class HubEvent implements PublishedEvent {
  declare readonly data: unknown;
  declare readonly type: string | undefined;
  declare readonly id?: string;
  declare readonly retry?: number;
  declare readonly comment?: string | readonly string[];
  readonly #logged: LoggedEvent;
  /** Where the data was decoded first. */
  readonly #original: HubEvent | undefined;
  #frame: string | undefined;
  #withoutId: HubEvent | undefined;
  #data: unknown;

  constructor(logged: LoggedEvent, original?: HubEvent) {
    const { epoch, position, message } = logged;
    const { type, retry, comment } = message;
    this.#logged = logged;
    this.#original = original;
    if ('data' in message) Object.defineProperty(this, 'data', DATA);
    if (type !== undefined) this.type = type;
    if (retry !== undefined) this.retry = retry;
    if (comment !== undefined) this.comment = Object.freeze(comment);
    if (position !== undefined) this.id = formatCursor({ epoch, position });
    Object.freeze(this);
  }

  /**
   * @internal Not for a copy that has the prototype of one: its own properties are what is sent.
   */
  static is(value: unknown): value is HubEvent {
    return typeof value === 'object' && value !== null && #logged in value;
  }

  /**
   * @internal Decoded and frozen for the first who looks. Bytes cannot be frozen: whoever looks
   * gets a copy.
   */
  static dataOf(event: HubEvent): unknown {
    if (event.#original !== undefined) return event.#original.data;
    event.#data ??= frozen(event.#logged.message.data);
    const data = event.#data;
    if (data instanceof JsonText) return data.text;
    return data instanceof Uint8Array ? Buffer.from(data) : data;
  }

  get rooms(): readonly string[] {
    return Object.freeze(this.#logged.rooms);
  }

  get position(): Position | undefined {
    return this.#logged.position;
  }

  get frame(): string {
    return (this.#frame ??= this.frameWith(this.id));
  }

  /**
   * For a stream whose ids are not the hub's: the same event without its place. Made once, as the
   * frame.
   */
  get withoutId(): HubEvent {
    const { epoch, rooms, message, body } = this.#logged;
    this.#withoutId ??= new HubEvent({ epoch, position: undefined, rooms, message, body }, this);
    return this.#withoutId;
  }

  [INSPECT](): object {
    return Object.assign({}, this, { rooms: this.rooms });
  }

  /**
   * For a client that reads several hubs, whose last event ID says where it stands in all of them.
   */
  frameWith(id: string | number | undefined): string {
    return frameOf(this.#logged.body, id);
  }
}

/** A property of each event itself, or a copy by spread would be without it. */
const DATA: PropertyDescriptor & ThisType<HubEvent> = {
  get() {
    return HubEvent.dataOf(this);
  },
  enumerable: true,
};

/** All of a value that is JSON; in steps, as it may be nested deeply. */
function frozen(data: unknown): unknown {
  const todo = [data];
  while (todo.length > 0) {
    const next = todo.pop();
    if (typeof next !== 'object' || next === null || ArrayBuffer.isView(next)) continue;
    for (const value of Object.values(Object.freeze(next))) {
      if (typeof value === 'object') todo.push(value);
    }
  }
  return data;
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
