import { Logger, type InjectionToken } from '@nestjs/common';
import { Observable } from 'rxjs';
import { currentConnection, type CloseReason } from './connection.js';
import { formatCursor, type Position } from './cursor.js';
import { SseClosedError, SseInvalidFieldError } from './errors.js';
import {
  HubEvent,
  type EventData,
  type EventMap,
  type EventType,
  type LoggedEvent,
  type SseEvent,
} from './event.js';
import type { EventLog } from './event-log.js';
import { encodeParts, type Serialize, type SseMessage } from './frame.js';
import { Reader, type StreamFilter } from './reader.js';
import { warnOfReservedType } from './reserved-types.js';
import { roomList, Rooms } from './rooms.js';

/** @publicApi */
export interface EmitOptions {
  /** The reconnection time that clients take over with this event, in milliseconds. */
  retry?: number;
  /**
   * For those who are there now: no id, not kept, never missed. For typing indicators or mouse positions.
   * @default false
   */
  ephemeral?: boolean;
}

/**
 * Some rooms of a hub, ready to be sent to.
 * @publicApi
 */
export interface Emitter<Events extends object> {
  /** As `Broadcaster.publish()`, checked against the event map. */
  emit<Type extends EventType<Events>>(
    type: Type,
    data: EventData<Events, Type>,
    options?: EmitOptions,
  ): Promise<string>;
}

/** @publicApi */
export interface HubOptions {
  /** Text for the data of this hub's events, in place of JSON. */
  serialize?: Serialize;
}

/**
 * A hub: events are published to rooms, and every connection in one of the rooms gets them, once and in one order.
 * @example
 * ```ts
 * interface Prices { price: { symbol: string; value: number } }
 * constructor(private readonly broadcaster: Broadcaster<Prices>) {}
 *
 * update(symbol: string, value: number) {
 *   return this.broadcaster.to(symbol).emit('price', { symbol, value });
 * }
 * ```
 * @publicApi
 */
export class Broadcaster<Events extends object = EventMap> {
  private readonly readers = new Set<Reader<Events>>();
  private readonly readersIn = new Rooms<Reader<Events>>();
  private readonly undelivered: LoggedEvent[] = [];
  private isDelivering = false;
  private isClosed = false;
  private epoch = '';
  /** Up to here every reader has got everything. */
  private delivered: Position = 0;

  /** @internal Hubs are made by `SseModule`. */
  constructor(
    private readonly log: EventLog,
    private readonly options: HubOptions = {},
  ) {}

  /** Names the rooms of the next event. Several rooms: one event, which a connection in two of them gets once. */
  to(...rooms: string[]): Emitter<Events> {
    return {
      emit: (type, data, options) => this.publish(rooms, { type, data }, options),
    };
  }

  /**
   * Publishes a message to the rooms. Resolves with the event's cursor (`''` for an ephemeral event) once the log has
   * accepted it; never waits for a reader.
   * @throws SseInvalidFieldError, SseSerializeError, SseClosedError, or what the log rejects with
   */
  async publish(
    rooms: string | readonly string[],
    message: SseMessage,
    { retry = message.retry, ephemeral = false }: EmitOptions = {},
  ): Promise<string> {
    if (this.isClosed) throw new SseClosedError('the hub');
    if (message.id !== undefined) {
      const remedy = 'the hub gives its events their ids; put an id of your own into `data`';
      throw new SseInvalidFieldError('id', message.id, remedy);
    }
    const list = roomList(rooms);
    const complete: SseMessage = retry === undefined ? message : { ...message, retry };
    const parts = encodeParts(complete, this.options.serialize);
    warnOfReservedType(message.type);
    const logged = await this.log.append({ rooms: list, message: complete, parts, ephemeral });
    const { epoch, position } = logged;
    return position === undefined ? '' : formatCursor({ epoch, position });
  }

  /**
   * The events of the rooms from the moment of subscribing. It ends with the connection that subscribes, and with
   * `SseClosedError` when the app shuts down.
   * @throws SseInvalidFieldError for a room without a name or with more than 256 characters
   */
  stream(
    rooms: string | readonly string[],
    options: StreamFilter<Events> = {},
  ): Observable<SseEvent<Events>> {
    const list = roomList(rooms);
    return new Observable((subscriber) => {
      if (this.isClosed) throw new SseClosedError('the hub');
      const connection = currentConnection.getStore();
      const reader = new Reader(list, options, subscriber, connection);
      const untrack = connection?.track(this);
      this.readers.add(reader);
      this.readersIn.join(list, reader);
      return () => {
        untrack?.();
        this.readers.delete(reader);
        this.readersIn.leave(list, reader);
      };
    });
  }

  /** @internal Where a connection stands that has got everything this hub delivered. */
  get cursor(): string | undefined {
    return undefined;
  }

  /** The rooms that somebody on this instance reads. */
  rooms(): string[] {
    return this.readersIn.names();
  }

  /** How many streams on this instance read this room, or any. */
  size(room?: string): number {
    return room === undefined ? this.readers.size : this.readersIn.size(room);
  }

  /** Ends every connection of this instance that reads the room. */
  closeRoom(room: string, reason?: CloseReason): void {
    for (const reader of this.readersIn.in([room])) reader.close(reason);
  }

  /** @internal */
  async start(): Promise<void> {
    const head = await this.log.follow((event) => this.deliver(event));
    this.epoch = head.epoch;
    this.delivered = head.position;
  }

  /** @internal */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const reader of this.readers) reader.fail(new SseClosedError('the hub'));
    await this.log.close();
  }

  /** A reader may publish while it is being delivered to: that event waits, or some would get it too early. */
  private deliver(event: LoggedEvent): void {
    this.undelivered.push(event);
    if (this.isDelivering) return;
    this.isDelivering = true;
    for (let next = this.undelivered.shift(); next; next = this.undelivered.shift()) {
      const published = new HubEvent(next);
      for (const reader of this.readersIn.in(next.rooms)) this.deliverTo(reader, published);
      this.delivered = next.position ?? this.delivered;
    }
    this.isDelivering = false;
  }

  /** Whatever one reader does, the others get their event. */
  private deliverTo(reader: Reader<Events>, event: HubEvent): void {
    try {
      reader.deliver(event);
    } catch (error) {
      logger.error(error);
    }
  }
}

const logger = new Logger('Sse');

/**
 * The token of the hub of this name, for `useFactory` and for tests; without a name that of the default hub.
 * @publicApi
 */
export function getBroadcasterToken(name?: string): InjectionToken<Broadcaster> {
  return name === undefined ? Broadcaster : `nestjs-eventstream:broadcaster:${name}`;
}
