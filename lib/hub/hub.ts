import { Logger } from '@nestjs/common';
import { Observable, type Subscriber } from 'rxjs';
import type { CloseReason } from '../connection/close-reason.js';
import type { LimitsOptions } from '../connection/connections.options.js';
import { currentStream, streamOf } from '../connection/current-stream.js';
import type { Stream } from '../connection/stream.js';
import {
  describe,
  preview,
  SseClosedError,
  SseError,
  SseLimitError,
  SseOptionsError,
} from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';
import type { EventMap, PublishedEvent, SseEvent } from '../log/event.js';
import type { EventLog, NewEvent } from '../log/event-log.js';
import { REPLAY_CAP } from '../log/resume.js';
import { positiveInteger } from '../options/rules.js';
import { formatCursor } from '../wire/cursor.js';
import type { SseMessage } from '../wire/frame.js';
import { parseLastEventId } from '../wire/last-event-id.js';
import { Broadcaster, type Emitter, type HistoryPage } from './broadcaster.js';
import { ControlChannel } from './control-channel.js';
import { Delivery } from './delivery.js';
import { diagnostics } from './diagnostics.js';
import { readPage } from './history-page.js';
import {
  checkHubStreamOptions,
  type EmitOptions,
  type HubOptions,
  type HubStreamOptions,
} from './hub.options.js';
import { factsOf, newEvent, type HubFacts } from './new-event.js';
import { PeerChannel } from './peer-channel.js';
import { roomList } from './rooms.js';
import { Subscription } from './subscription.js';

const logger = new Logger('Sse');

/**
 * The engine of a `Broadcaster`. It publishes to one log, and delivers what comes from that log to
 * its subscriptions. An event that it publishes takes the same way as one from another process.
 */
export class Hub extends Broadcaster {
  readonly delivery: Delivery;
  readonly control: ControlChannel;
  /** A log that is closed refuses what is sent. */
  readonly peers = new PeerChannel((event) => this.log.append(event));
  /** What the app's `ClassSerializerInterceptor` does to data, if it has one. */
  toPlain: ((data: unknown) => unknown) | undefined;
  private isClosed = false;
  private readonly failures = new RareLine();
  private readonly facts: HubFacts;

  constructor(
    readonly log: EventLog,
    private readonly options: HubOptions = {},
    /** `''` for the default hub. */
    readonly name = '',
    private readonly limits: LimitsOptions = {},
  ) {
    super();
    const keepsHistory = options.history !== false;
    this.control = new ControlChannel((event) =>
      this.append(() => ({ ...event, ephemeral: !keepsHistory })),
    );
    this.facts = factsOf(options, limits);
    const { schemas } = this.facts;
    this.delivery = new Delivery(log, this.control, keepsHistory, this.peers, schemas);
  }

  async start(): Promise<void> {
    this.delivery.caughtUp(await this.log.follow(this.delivery));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.delivery.end();
    await this.log.close();
  }

  to(...rooms: string[]): Emitter<EventMap> {
    return {
      emit: (type, data, options) => this.publish(rooms, { type, data }, options),
    };
  }

  publish(
    rooms: string | readonly string[],
    message: SseMessage,
    options: EmitOptions = {},
  ): Promise<string> {
    const published = this.append(() =>
      newEvent(rooms, message, options, { ...this.facts, toPlain: this.toPlain }),
    );
    // A failure must not end the process. A client may cause one, for example with the name of a
    // room, and the log may be unavailable.
    published.catch((error: unknown) => this.logFailure(error));
    return published;
  }

  /** Never throws synchronously. A failure rejects, and is published on the diagnostics channel. */
  private async append(make: () => NewEvent): Promise<string> {
    try {
      const event = make();
      if (this.isClosed) throw new SseClosedError('the hub');
      const { epoch, position } = await this.log.append(event);
      if (diagnostics.publish.hasSubscribers) this.reportPublished(event);
      return position === undefined ? '' : formatCursor({ epoch, position });
    } catch (error) {
      diagnostics.error.publish({ error, connection: undefined, broadcaster: this });
      throw error;
    }
  }

  /** While a log is unavailable, every event fails. Logs only some of them. */
  private logFailure(error: unknown): void {
    const failed = this.failures.again();
    if (failed === 0) return;
    const what =
      failed === 1
        ? 'An event was not published'
        : `${failed} events were not published, the last error`;
    logger.warn(`${what}: ${describe(error)}`);
  }

  private reportPublished({ rooms, message: { type }, body }: NewEvent): void {
    const bytes = Buffer.byteLength(body);
    diagnostics.publish.publish({ hub: this.name, broadcaster: this, rooms, type, bytes });
  }

  stream(
    rooms: string | readonly string[],
    options: HubStreamOptions<EventMap> = {},
  ): Observable<SseEvent> {
    const list = roomList(rooms);
    checkHubStreamOptions('stream()', options);
    const { connection: named } = options;
    const given = named === undefined || named === false ? undefined : streamOf(named);
    const events = new Observable<PublishedEvent>((subscriber) => {
      if (this.isClosed) throw new SseClosedError('the hub');
      if (named === false) return this.join(list, options, subscriber, undefined);
      if (given !== undefined) endWith(given, subscriber);
      const connection = given ?? currentStream.getStore();
      const { authorize = this.options.authorize } = options;
      if (authorize === undefined) return this.join(list, options, subscriber, connection);
      if (connection === undefined) {
        const remedy = 'pass `connection` to stream(), or `connection: false` to skip the check';
        throw new SseError('SSE_OPTIONS', `\`authorize\` has no connection to check: ${remedy}`);
      }
      const fail = (error: unknown): void => subscriber.error(error);
      const granted = (): void => {
        try {
          this.join(list, options, subscriber, connection);
        } catch (error) {
          // An error such as a full room is not a missing permission.
          fail(error);
        }
      };
      subscriber.add(connection.authorization.ask(authorize, list, granted, fail));
    });
    // A type assertion only. Without a map of events, every `type` is a `string`.
    return events as Observable<SseEvent>;
  }

  private join(
    rooms: readonly string[],
    options: HubStreamOptions<EventMap>,
    subscriber: Subscriber<PublishedEvent>,
    connection: Stream | undefined,
  ): void {
    if (subscriber.closed) return;
    this.checkRoomLimits(rooms, connection);
    const subscription = new Subscription(this.delivery, rooms, options, subscriber, connection);
    // Joins before anything is read, so that events published during the read wait in it.
    // mutant: listener attached after history
    this.delivery.join(subscription);
    subscriber.add(subscription);
    subscription.start();
  }

  private checkRoomLimits(rooms: readonly string[], connection: Stream | undefined): void {
    const { maxPerRoom = Infinity, maxRoomsPerConnection = Infinity } = this.limits;
    const count = (connection?.cursor.roomCount ?? 0) + rooms.length;
    if (count > maxRoomsPerConnection) {
      const remedy = `the connection would read ${count} rooms; request fewer`;
      throw new SseLimitError('maxRoomsPerConnection', maxRoomsPerConnection, remedy);
    }
    for (const room of maxPerRoom === Infinity ? [] : rooms) {
      if (this.size(room) < maxPerRoom) continue;
      throw new SseLimitError(
        'maxPerRoom',
        maxPerRoom,
        `room ${preview(room)} is full; try again later`,
      );
    }
  }

  async position(): Promise<string> {
    this.requireHistory('position()');
    return formatCursor(await this.log.head());
  }

  async history(
    room: string,
    { after, limit = REPLAY_CAP.events }: { after?: string; limit?: number } = {},
  ): Promise<HistoryPage<EventMap>> {
    this.requireHistory('history()');
    roomList(room);
    positiveInteger('history().limit', limit);
    const cursors = after === undefined ? undefined : parseLastEventId(after).cursors;
    return readPage(this.delivery, room, cursors, limit);
  }

  private requireHistory(call: string): void {
    if (this.isClosed) throw new SseClosedError('the hub');
    if (!this.delivery.keepsHistory) {
      throw new SseError(
        'SSE_OPTIONS',
        `${call} needs history; remove \`history: false\` from this hub`,
      );
    }
  }

  rooms(): string[] {
    return this.delivery.readRooms();
  }

  size(room?: string): number {
    return this.delivery.size(room);
  }

  closeRoom(room: string, reason?: CloseReason): void {
    this.delivery.close(room, reason);
  }
}

/**
 * Returns the engine of a broadcaster that an app passed or provided.
 * @throws SseOptionsError for anything that this library did not create
 */
export function hubOf<Events extends object>(broadcaster: Broadcaster<Events>): Hub {
  if (broadcaster instanceof Hub) return broadcaster;
  const expected = 'the Broadcaster of SseModule.forRoot() or forFeature()';
  throw new SseOptionsError('broadcaster', expected, broadcaster);
}

/** A subscriber that is not the connection itself would otherwise stay in the rooms. */
function endWith({ signal }: Stream, subscriber: Subscriber<unknown>): void {
  const end = (): void => subscriber.complete();
  if (signal.aborted) return end();
  signal.addEventListener('abort', end, { once: true });
  subscriber.add(() => signal.removeEventListener('abort', end));
}
