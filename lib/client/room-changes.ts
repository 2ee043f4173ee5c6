import { SseClientError } from './client-error.js';
import type { ConnectOptions } from './connect.options.js';
import { SSE_OPEN, SSE_ROOMS } from '../wire/protocol.js';

/** How long an open stream may take to tell that its rooms can change. */
const TOLD_WITHIN_MS = 10_000;
const HELD_UP = 'nobody takes the next event; do not wait for this in a loop that reads the stream';
/** The pause after a request that the network lost. */
const AGAIN_MS = 1_000;

interface Change {
  readonly join?: readonly string[];
  readonly leave?: readonly string[];
}

/** The rooms of a stream, and the requests that change them. */
export class RoomChanges {
  rooms: readonly string[] = [];
  private token: string | undefined;
  private isOpen = false;
  private isOver = false;
  /** What was asked for last, so that it is asked for again if the server has forgotten it. */
  private readonly wanted = new Map<string, keyof Change>();
  private last: Promise<unknown> = Promise.resolve();
  /** Goes on with the request that waits for the stream. */
  private wake: (() => void) | undefined;

  constructor(
    private readonly url: string | URL,
    private readonly options: ConnectOptions,
    /** Whether the stream waits until an event is taken. */
    private readonly isHeldUp: () => boolean,
  ) {}

  change(change: Change): Promise<readonly string[]> {
    const { join = [], leave = [] } = change;
    for (const room of join) this.wanted.set(room, 'join');
    for (const room of leave) this.wanted.set(room, 'leave');
    const done = this.last.then(() => this.request(change));
    this.last = done.catch(() => {
      // Nobody asks for a room again that was refused.
      for (const room of [...join, ...leave]) this.wanted.delete(room);
    });
    return done;
  }

  opened(): void {
    this.isOpen = true;
    this.wake?.();
  }

  /** The connection has ended, and its token with it. */
  drop(): void {
    this.isOpen = false;
    this.token = undefined;
  }

  end(): void {
    this.isOver = true;
    this.wake?.();
  }

  receive({ type, data }: { readonly type: string; readonly data: unknown }): void {
    if (type !== SSE_OPEN && type !== SSE_ROOMS) return;
    const { stream, rooms } = data as { stream?: string; rooms: string[] };
    // A server of another library may send events of this name.
    if (!Array.isArray(rooms)) return;
    this.rooms = rooms;
    if (stream === undefined) return;
    this.token = stream;
    for (const [room, how] of this.wanted) {
      // Who called join() or leave() has had the answer. `rooms` tells what is in force.
      if (rooms.includes(room) !== (how === 'join')) this.change({ [how]: [room] }).catch(() => {});
    }
    this.wake?.();
  }

  private async request(change: Change): Promise<readonly string[]> {
    for (;;) {
      const token = await this.currentToken();
      const answer = await this.send({ stream: token, ...change });
      if (answer === undefined) continue;
      return (this.rooms = answer);
    }
  }

  private async currentToken(): Promise<string> {
    for (;;) {
      if (this.isOver) throw failure('the stream is closed; connect again');
      if (this.token !== undefined) return this.token;
      const { isOpen } = this;
      await this.woken(isOpen ? TOLD_WITHIN_MS : undefined);
      if (isOpen && this.isOpen && this.token === undefined && !this.isOver) {
        throw failure(
          this.isHeldUp() ? HELD_UP : 'no `sse-open` came; the stream needs `changeable: true`',
        );
      }
    }
  }

  /** Resolves with the rooms in force, or `undefined` if the request has to be repeated. */
  private async send(body: { readonly stream: string } & Change) {
    const { headers, credentials, fetch = globalThis.fetch, roomsUrl } = this.options;
    let response: Response;
    let text: string;
    try {
      const all = new Headers(typeof headers === 'function' ? await headers() : headers);
      all.set('content-type', 'application/json');
      const init = { method: 'POST', headers: all, credentials, body: JSON.stringify(body) };
      response = await fetch(roomsUrl ?? withoutQuery(this.url), init);
      text = await response.text();
    } catch {
      // As for the stream, whose error says more.
      await this.woken(AGAIN_MS);
      return undefined;
    }
    const { ok, status } = response;
    if (ok) return roomsIn(text);
    // The process of the stream has died, or has seen its end before the client.
    const isLate = (status === 404 || status === 409) && /SSE_ROOMS|sse-open/.test(text);
    if (!isLate && (this.token === undefined || this.token === body.stream)) {
      const message = `the rooms were not changed: ${status} ${text.slice(0, 200)}`;
      throw new SseClientError('SSE_STATUS', message, { status, body: text });
    }
    if (this.token === body.stream) this.token = undefined;
    const limitMs = this.isHeldUp() ? TOLD_WITHIN_MS : undefined;
    if (this.token === undefined && !(await this.woken(limitMs))) throw failure(HELD_UP);
    return undefined;
  }

  /** Resolves with whether it was woken within this time. */
  private woken(timeoutMs?: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = timeoutMs && setTimeout(() => resolve(false), timeoutMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}

function failure(why: string): SseClientError {
  return new SseClientError('SSE_ROOMS', `the rooms were not changed: ${why}`);
}

function roomsIn(text: string): string[] {
  try {
    const { rooms } = JSON.parse(text) as { rooms: string[] };
    if (Array.isArray(rooms)) return rooms;
  } catch {
    // The answer is not that of `changeRooms()`.
  }
  throw failure('the answer has no `rooms`; return that of `changeRooms()`');
}

function withoutQuery(url: string | URL): string {
  return String(url).replace(/[?#].*/s, '');
}
