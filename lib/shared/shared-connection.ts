import type { EventStream } from '../client/event-stream.js';
import { guard } from '../client/readers.js';
import type { StreamEvent } from '../client/stream-event.js';
import { RoomSnapshots } from './room-snapshots.js';
import { CONNECTING, Listeners, type StreamStatus } from './store.js';

/**
 * How long a connection that nobody holds stays open, so that neither a component that is mounted
 * again nor a change of the page's route reconnects.
 */
const GRACE_MS = 1_000;

type Listener = (event: StreamEvent) => void;

interface Reader {
  readonly listener: Listener;
  /** `undefined` for events of all types. */
  readonly type: string | undefined;
  /** Where it was before, until it has been told what it missed since. */
  owed?: Mark | undefined;
}

/** Where a listener was when it left. */
interface Mark {
  readonly stream: EventStream;
  readonly delivered: number;
}

/** Those who have left. A listener that comes back is told what it missed. */
const marks = new WeakMap<Listener, Mark>();

/** One stream, which is open while somebody holds it. */
export class SharedConnection {
  readonly statusListeners = new Listeners();
  status: StreamStatus = CONNECTING;
  /** Replaced and never changed, so that readers can come and go while an event is delivered. */
  private readers: readonly Reader[] = [];
  private readonly rooms = new Map<string, RoomSnapshots>();
  private isRead = false;
  /** The number of events that the listeners got. */
  private delivered = 0;
  private holders = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly stream: EventStream,
    private readonly onEnd: () => void,
  ) {
    stream.onState((state, error) => {
      if (state === this.status.state && error === this.status.error) return;
      this.status = { state, error };
      this.statusListeners.notify();
      if (state === 'closed' && this.holders === 0) this.end();
    });
  }

  /** Returns a function that lets go of it. A second call of that does nothing. */
  hold(): () => void {
    this.holders++;
    clearTimeout(this.timer);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      if (--this.holders > 0) return;
      if (this.status.state === 'closed') this.end();
      else this.timer = setTimeout(() => this.end(), GRACE_MS);
    };
  }

  /** Returns a function that removes the listener. */
  listen(listener: Listener, type?: string): () => void {
    const reader: Reader = { listener, type };
    this.readers = [...this.readers, reader];
    this.sendGap(reader);
    // Until then events wait for the first listener.
    if (!this.isRead) this.stream.subscribe({ next: (event) => this.give(event) });
    this.isRead = true;
    return () => {
      if (!this.readers.includes(reader)) return;
      this.readers = this.readers.filter((other) => other !== reader);
      const { stream, delivered } = this;
      // StrictMode mounts a component that is shown again twice, too.
      marks.set(listener, reader.owed ?? { stream, delivered });
    };
  }

  /** @throws SseClientError `SSE_STATE`, as `stateOf()` of the stream */
  room(name: string): RoomSnapshots {
    const room = this.rooms.get(name) ?? new RoomSnapshots(this.stream.stateOf(name));
    this.rooms.set(name, room);
    return room;
  }

  /** The entries that have arrived, if somebody reads the room. */
  entriesOf(name: string): ReadonlyMap<string, unknown> | undefined {
    return this.rooms.get(name)?.snapshot;
  }

  private give(event: StreamEvent): void {
    this.delivered++;
    for (const reader of this.readers) {
      const { listener, type = event.type } = reader;
      if (type === event.type && this.readers.includes(reader)) guard(() => listener(event));
    }
  }

  /** To a listener that was away while events came, or that was at another stream. */
  private sendGap(reader: Reader): void {
    const { listener, type = 'sse-gap' } = reader;
    const mark = marks.get(listener);
    marks.delete(listener);
    if (!mark || type !== 'sse-gap') return;
    if (mark.stream === this.stream && mark.delivered === this.delivered) return;
    reader.owed = mark;
    // Later, because the listener may be added while its component is being mounted.
    queueMicrotask(() => {
      if (!this.readers.includes(reader)) return;
      reader.owed = undefined;
      const data = { rooms: [], reason: 'unknown' as const };
      guard(() => listener({ type: 'sse-gap', data, id: undefined }));
    });
  }

  private end(): void {
    this.onEnd();
    this.stream.close();
  }
}
