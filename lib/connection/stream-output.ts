import { changedEntry } from '../log/changed-entry.js';
import { HubEvent, type LoggedEvent } from '../log/event.js';
import { Deferred } from '../ground/deferred.js';
import { SseClosedError } from '../ground/errors.js';
import type { Waiting } from '../output/backlog.js';
import { joinableOf } from '../output/joinable.js';
import { Outbox } from '../output/outbox.js';
import type { OutboxOwner } from '../output/outbox-owner.js';
import type { Batch, FrameSource, Turn } from '../output/batch.js';
import type { StreamResponse } from '../output/response.js';
import { cursorFrame, keepAliveFrame } from '../wire/control-frames.js';
import { checkedEvent } from '../schema/checked-event.js';
import { encodeFrame, frameOf, type SseMessage } from '../wire/frame.js';
import { shownRooms } from '../wire/room-names.js';
import { ClientCursor } from './client-cursor.js';
import type { CloseReason } from './close-reason.js';
import { diagnostics } from './diagnostics.js';
import { StreamControls } from './stream-controls.js';
import type { PulseHost } from './stream-facts.js';
import type { StreamSettings } from './stream-settings.js';

/** The part of `StreamHost` that writing needs. All streams share one host. */
export interface OutputHost extends PulseHost {
  readonly turn: Turn;
}

/** The half of a `Stream` that writes. `Stream` itself is the half that begins and ends it. */
export abstract class StreamOutput extends StreamControls implements OutboxOwner {
  abstract override readonly host: OutputHost;
  /** Decides the id that the client returns with. */
  override readonly cursor = new ClientCursor();
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

  /** Whether new frames have to wait for the client. */
  get isBlocked(): boolean {
    return this.outbox.isBlocked;
  }

  send(message: SseMessage): Promise<void> {
    try {
      this.write(this.checked(message));
      return this.writable();
    } catch (error) {
      return Deferred.rejected(error);
    }
  }

  /** A message of the app, as the contract of the route has it. */
  checked(message: SseMessage): SseMessage {
    const { contract } = this.settings;
    return contract === undefined ? message : checkedEvent(contract.schemas, message);
  }

  comment(text: string): Promise<void> {
    return this.send({ comment: text });
  }

  /**
   * Resolves when everything pushed is written and the client takes more. Rejects when the stream
   * has ended.
   */
  writable(): Promise<void> {
    return this.outbox.writable();
  }

  /** See `Outbox.expect()`. A stream whose ids differ from those of other readers collects none. */
  expect(source: FrameSource): number {
    return this.cursor.isThatOfOne ? this.outbox.expect(source) : 0;
  }

  /**
   * Begins the stream if necessary, and adds events of the only hub stream to what this turn
   * writes. Returns false if they have to be written one by one.
   */
  writeAll(events: Batch): boolean {
    if (this.isOver || !this.cursor.isThatOfOne) return false;
    this.open();
    return !this.isOver && this.outbox.pushAll(events);
  }

  /** Takes over what a source has for this stream. */
  settle(): void {
    this.outbox.settle();
  }

  /** Like `writable()`, but waits for no window of `flushMs`. */
  written(): Promise<void> {
    return this.outbox.written();
  }

  /** Begins the stream if necessary, and adds the message to what this turn writes. */
  write(message: SseMessage): void {
    this.begin(message);
    const id = this.cursor.idOf(message.id);
    this.push(this.frameOf(message, id), message, id);
  }

  /** Moves the client's cursor past an event of a hub that it does not get. */
  pass({ id }: HubEvent): void {
    this.cursor.idOf(id);
  }

  /** Like `write()`, for a message that is never dropped. */
  writeAlways(message: SseMessage): void {
    this.begin(message);
    const id = this.cursor.idOf(message.id);
    this.push(this.frameOf(message, id), undefined, id);
  }

  /** Writes an entry of a state room, without its id and without decoding it. */
  writeEntry({ body }: LoggedEvent): void {
    this.open();
    this.push(frameOf(body));
  }

  /** Like `write()`, for the message that the stream ends with. No limit applies. */
  writeLast(message: SseMessage): void {
    this.begin(message);
    const id = this.cursor.idOf(message.id);
    this.pushLast(this.frameOf(message, id));
  }

  /** The outbox calls it where it cannot tell of events that it has dropped. */
  cut(): void {
    this.destroy('overflow');
  }

  /** Sends the client's cursor without an event. */
  sendCursor(): void {
    const cursor = this.cursor.text;
    if (this.state === 'open' && cursor !== undefined) this.push(cursorFrame(cursor));
  }

  sendKeepAlive(): void {
    this.push(keepAliveFrame(this.cursor.text, this.settings.keepAliveFrame));
  }

  /** Sends a keep-alive, unless something was written recently or frames are waiting. */
  sendKeepAliveIfIdle(): void {
    const { keepAliveMs = Infinity } = this.settings;
    const isIdle = performance.now() >= this.outbox.activeAt + keepAliveMs;
    if (isIdle && !this.outbox.isBlocked) this.sendKeepAlive();
  }

  /**
   * Begins the stream. A first message that cannot be encoded throws before, so that the stream can
   * still be refused with a status.
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
    // It may have been the event whose id said it.
    if (this.cursor.tail !== undefined) this.cursor.tail.isTold = false;
    if (!diagnostics.drop.hasSubscribers) return;
    this.inContext(() => diagnostics.drop.publish({ connection: this, events }));
  }

  protected pushLast(frame: string): void {
    if (this.phase === 'closed') throw new SseClosedError('the connection');
    this.outbox.pushLast(frame);
  }

  /** The outbox calls it when the client stops reading. */
  blocked(): void {
    const { stallTimeoutMs } = this.settings;
    if (stallTimeoutMs !== undefined) this.host.schedulePulse(performance.now() + stallTimeoutMs);
  }

  /** The outbox calls it with what it handed to the socket. */
  wrote(events: number, bytes: number): void {
    this.events += events;
    this.bytes += bytes;
    if (diagnostics.deliver.hasSubscribers) {
      diagnostics.deliver.publish({ connection: this, events, bytes });
    }
  }

  /** The outbox calls it when frames have to wait. */
  mark(): string {
    return this.cursor.giveMark();
  }

  /**
   * The outbox calls it for each frame that has to wait. A gap names only rooms that the client
   * reads: it must not learn of the other rooms of an event.
   */
  waitingOf(frame: string, message?: SseMessage, id?: string | number): Waiting {
    const cursor = this.cursor.markable(id);
    if (message === undefined) return { frame, cursor };
    const change = HubEvent.is(message) ? changedEntry(message) : undefined;
    if (change !== undefined) return { frame, cursor, change };
    const rooms = HubEvent.is(message) ? this.roomsShownOf(message) : [];
    const { overflow, conflateKey } = this.settings;
    if (overflow === 'append') {
      // The id of an event that is joined may have said it.
      if (this.cursor.tail !== undefined) this.cursor.tail.isTold = false;
      const joinable = this.inContext(() => joinableOf(frame, message, id, this.settings));
      return { frame, rooms, cursor, joinable };
    }
    const key = overflow === 'conflate' ? this.inContext(() => conflateKey(message)) : undefined;
    return { frame, rooms, key, cursor };
  }

  private roomsShownOf({ rooms }: HubEvent): readonly string[] {
    return shownRooms(this.cursor.roomsReadOf(rooms));
  }

  private frameOf(message: SseMessage, id: string | number | undefined): string {
    if (HubEvent.is(message)) return id === message.id ? message.frame : message.frameWith(id);
    return encodeFrame(id === message.id ? message : { ...message, id }, this.settings.serialize);
  }
}
