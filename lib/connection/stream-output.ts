import { HubEvent } from '../log/event.js';
import { Deferred } from '../ground/deferred.js';
import { SseClosedError } from '../ground/errors.js';
import type { Waiting } from '../output/backlog.js';
import { Outbox, type OutboxOwner } from '../output/outbox.js';
import type { Turn } from '../output/batch.js';
import type { StreamResponse } from '../output/response.js';
import { cursorFrame, keepAliveFrame } from '../wire/control-frames.js';
import { encodeFrame, type SseMessage } from '../wire/frame.js';
import { ClientCursor } from './client-cursor.js';
import type { CloseReason } from './close-reason.js';
import { diagnostics } from './diagnostics.js';
import { StreamFacts, type PulseHost } from './stream-facts.js';
import type { StreamSettings } from './stream-settings.js';

/** What the output of a stream shares with that of all others. */
export interface OutputHost extends PulseHost {
  readonly turn: Turn;
}

/** The half of a `Stream` that writes. The other half begins and ends it. */
export abstract class StreamOutput extends StreamFacts implements OutboxOwner {
  abstract readonly settings: StreamSettings;
  abstract override readonly host: OutputHost;
  /** What the client comes back with. */
  readonly cursor = new ClientCursor();
  protected phase: 'opening' | 'open' | 'closed' = 'opening';
  protected readonly outbox: Outbox;
  private events = 0;
  private bytes = 0;

  constructor(response: StreamResponse, settings: StreamSettings, host: OutputHost) {
    super();
    this.outbox = new Outbox(response.raw, host.turn, settings, this);
  }

  /** Begins the stream. A second call does nothing. */
  abstract open(): void;
  /** Ends the stream without waiting for the client. */
  abstract destroy(reason: CloseReason): void;
  abstract failed(error: unknown): void;

  protected get isOver(): boolean {
    return this.state === 'closed';
  }

  get bufferedBytes(): number {
    return this.outbox.bufferedBytes;
  }

  get droppedEvents(): number {
    return this.outbox.dropped;
  }

  get sentEvents(): number {
    return this.events;
  }

  get sentBytes(): number {
    return this.bytes;
  }

  /** Whether the client takes nothing of its backlog. */
  get isBlocked(): boolean {
    return this.outbox.isBlocked;
  }

  send(message: SseMessage): Promise<void> {
    try {
      this.write(message);
      return this.writable();
    } catch (error) {
      return Deferred.rejected(error);
    }
  }

  comment(text: string): Promise<void> {
    return this.send({ comment: text });
  }

  /**
   * Resolves when all that was pushed is written and the client takes more; rejects when it has
   * ended.
   */
  writable(): Promise<void> {
    return this.outbox.writable();
  }

  /** Begins the stream if nothing has yet, and appends the message to what this turn writes. */
  write(message: SseMessage): void {
    this.begin(message);
    const id = this.cursor.idOf(message.id);
    this.push(this.frameOf(message, id), message, id);
  }

  /** As `write()`, for a message that is never left out. */
  writeAlways(message: SseMessage): void {
    this.begin(message);
    const id = this.cursor.idOf(message.id);
    this.push(this.frameOf(message, id), undefined, id);
  }

  /** As `write()`, for the message that the stream ends with: it is never too much. */
  writeLast(message: SseMessage): void {
    this.begin(message);
    const id = this.cursor.idOf(message.id);
    this.pushLast(this.frameOf(message, id));
  }

  /** Sends an event of the library: JSON, whatever `serialize` makes of the app's data. */
  sendControl(type: string, data: object): void {
    this.writeAlways({ type, data: JSON.stringify(data) });
  }

  /** As `sendControl()`, for the event that the stream ends with. */
  sendLast(type: string, data: object, id?: string): void {
    this.writeLast({ type, id, data: JSON.stringify(data) });
  }

  /** Sends where the client stands, between events. */
  sendCursor(): void {
    const cursor = this.cursor.text;
    if (this.state === 'open' && cursor !== undefined) this.push(cursorFrame(cursor));
  }

  sendKeepAlive(): void {
    this.push(keepAliveFrame(this.cursor.text));
  }

  /** Sends a keep-alive, unless something was written lately or has to wait. */
  sendKeepAliveIfIdle(): void {
    const { keepAliveMs = Infinity } = this.settings;
    const isIdle = performance.now() >= this.outbox.activeAt + keepAliveMs;
    if (isIdle && !this.outbox.isBlocked) this.sendKeepAlive();
  }

  /**
   * A first message that cannot be sent fails before the stream begins; a good one follows the
   * opening.
   */
  private begin(message: SseMessage): void {
    if (this.phase !== 'opening') return;
    if (!HubEvent.is(message)) encodeFrame(message, this.settings.serialize);
    this.open();
  }

  protected push(frame: string, message?: SseMessage, id?: string | number): void {
    if (this.isOver) throw new SseClosedError('the connection');
    const pushed = this.outbox.push(frame, message, id);
    if (pushed === 'overflow') this.destroy('overflow');
    else if (pushed > 0) this.dropped(pushed);
  }

  private dropped(events: number): void {
    if (!diagnostics.drop.hasSubscribers) return;
    this.inContext(() => diagnostics.drop.publish({ connection: this, events }));
  }

  protected pushLast(frame: string): void {
    if (this.phase === 'closed') throw new SseClosedError('the connection');
    this.outbox.pushLast(frame);
  }

  /** The outbox tells that the client takes nothing more at the moment. */
  blocked(): void {
    const { stallTimeoutMs } = this.settings;
    if (stallTimeoutMs !== undefined) this.host.schedulePulse(performance.now() + stallTimeoutMs);
  }

  /** The outbox tells what it has handed to the socket. */
  wrote(events: number, bytes: number): void {
    this.events += events;
    this.bytes += bytes;
    if (diagnostics.deliver.hasSubscribers) {
      diagnostics.deliver.publish({ connection: this, events, bytes });
    }
  }

  /** The outbox asks for it where frames have to wait. */
  mark(): string {
    return this.cursor.giveMark();
  }

  /**
   * The outbox asks for it where a frame has to wait. A client is told of losses in its own rooms;
   * others of an event are none of its business.
   */
  waitingOf(frame: string, message?: SseMessage, id?: string | number): Waiting {
    const cursor = this.cursor.markable(id);
    if (message === undefined) return { frame, cursor };
    const rooms = HubEvent.is(message) ? this.cursor.roomsReadOf(message.rooms) : [];
    const { overflow, conflateKey } = this.settings;
    const key = overflow === 'conflate' ? this.inContext(() => conflateKey(message)) : undefined;
    return { frame, rooms, key, cursor };
  }

  private frameOf(message: SseMessage, id: string | number | undefined): string {
    if (HubEvent.is(message)) return id === message.id ? message.frame : message.frameWith(id);
    return encodeFrame(id === message.id ? message : { ...message, id }, this.settings.serialize);
  }
}
