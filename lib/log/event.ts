import { formatCursor, type Position } from '../wire/cursor.js';
import type { EventSchemas } from '../schema/validate.js';
import { frameOf, type SseMessage } from '../wire/frame.js';
import { JsonText } from './published-message.js';

/**
 * The events of a hub: event types, and the types of their data.
 * @example `interface OrderEvents { created: Order; shipped: { no: number } }`
 * @publicApi
 */
export type EventMap = Record<string, unknown>;

/**
 * An event as a log keeps it and delivers it to hubs.
 * @publicApi
 */
export interface LoggedEvent {
  readonly epoch: string;
  /** `undefined` for an ephemeral event, which the log does not keep. */
  readonly position: Position | undefined;
  readonly rooms: readonly string[];
  readonly message: SseMessage;
  /** The wire text without the id and the final blank line. */
  readonly body: string;
  /** The client that does not get the event, as its `Identity` names it. */
  readonly except?: string | undefined;
}

/**
 * A published event, as readers in the app get it. All readers share it, so the event and its
 * `data` are frozen. `data` is what JSON makes of the published value, or a `Buffer` for bytes.
 *
 * To change an event, copy it: `{ ...event, data: f(event.data) }` is a message with the same id.
 * @publicApi
 */
export interface PublishedEvent<
  Type extends string | undefined = string | undefined,
  Data = unknown,
> {
  readonly data: Data;
  readonly type: Type;
  /** The cursor of the event. Absent on an ephemeral event. */
  readonly id?: string;
  readonly retry?: number;
  readonly comment?: string | readonly string[];
  /** The rooms it was published to. A copy by spread does not have them. */
  readonly rooms: readonly string[];
}

/** Used by `console.log()`, which would show `data` as a getter. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/**
 * A published event on its way to the readers, who all get this one object. It holds the wire text,
 * which is encoded once, and is frozen, so that no reader can change what the others see.
 */
export class HubEvent implements PublishedEvent {
  declare readonly data: unknown;
  declare readonly type: string | undefined;
  declare readonly id?: string;
  declare readonly retry?: number;
  declare readonly comment?: string | readonly string[];
  readonly #logged: LoggedEvent;
  /** The event that holds the decoded data, if this is a copy without id. */
  readonly #original: HubEvent | undefined;
  readonly #schemas: EventSchemas | undefined;
  #frame: string | undefined;
  #withoutId: HubEvent | undefined;
  #data: unknown;

  constructor(logged: LoggedEvent, schemas?: EventSchemas, original?: HubEvent) {
    const { epoch, position, message } = logged;
    const { type, retry, comment } = message;
    this.#logged = logged;
    this.#original = original;
    this.#schemas = schemas;
    if ('data' in message) Object.defineProperty(this, 'data', DATA);
    if (type !== undefined) this.type = type;
    if (retry !== undefined) this.retry = retry;
    if (comment !== undefined) this.comment = Object.freeze(comment);
    if (position !== undefined) this.id = formatCursor({ epoch, position });
    Object.freeze(this);
  }

  /** @internal False for an object that only has the prototype: its own properties are sent. */
  static is(value: unknown): value is HubEvent {
    return typeof value === 'object' && value !== null && #logged in value;
  }

  /** @internal Decoded and frozen on first use. Bytes cannot be frozen, so each use gets a copy. */
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

  /** The client that does not get it. */
  get except(): string | undefined {
    return this.#logged.except;
  }

  /** The schemas that the hub checks its events by, if it has a contract. */
  get schemas(): EventSchemas | undefined {
    return this.#schemas;
  }

  get frame(): string {
    return (this.#frame ??= this.frameWith(this.id));
  }

  /** The same event without id and position, for a stream with its own ids. Created once. */
  get withoutId(): HubEvent {
    const { epoch, rooms, message, body } = this.#logged;
    const logged = { epoch, position: undefined, rooms, message, body };
    this.#withoutId ??= new HubEvent(logged, this.#schemas, this);
    return this.#withoutId;
  }

  [INSPECT](): object {
    return Object.assign({}, this, { rooms: this.rooms });
  }

  /** The frame with another id, for a client that reads several hubs: the id has all cursors. */
  frameWith(id: string | number | undefined): string {
    return frameOf(this.#logged.body, id);
  }
}

/** An own property of each event, so that a copy by spread has it. */
const DATA: PropertyDescriptor & ThisType<HubEvent> = {
  get() {
    return HubEvent.dataOf(this);
  },
  enumerable: true,
};

/** Deep-freezes a JSON value, without recursion, because it may be nested deeply. */
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
 * An event of a hub with the event map `Events`. Its `type` determines the type of its `data`.
 * @publicApi
 */
export type SseEvent<Events extends object = EventMap> = [keyof Events] extends [never]
  ? PublishedEvent
  : {
      [Type in EventType<Events>]: PublishedEvent<Type, EventData<Events, Type>>;
    }[EventType<Events>];

/**
 * The event types of a map. Any string for an empty map, which means that the events are unknown.
 * @publicApi
 */
export type EventType<Events extends object> = [keyof Events] extends [never]
  ? string
  : keyof Events & string;

/**
 * The type of the data of an event type.
 * @publicApi
 */
export type EventData<Events extends object, Type extends string> = Type extends keyof Events
  ? Events[Type]
  : unknown;
