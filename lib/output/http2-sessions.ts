import type { Http2Session } from 'node:http2';
import type { Socket } from 'node:net';

const CHECK_MS = 2_500;
/** Checks in a row in which a client has taken nothing, until its session is destroyed. */
const STUCK_CHECKS = 4;

/** Many streams of a session may be cut: one check serves all. */
const watched = new WeakSet<Http2Session>();

/** The sessions that have streams, or had some. */
export class Http2Sessions {
  private readonly sessions = new Set<Http2Session>();

  add(session: Http2Session): void {
    if (session.destroyed || this.sessions.has(session)) return;
    this.sessions.add(session);
    session.once('close', () => this.sessions.delete(session));
  }

  endAll(): void {
    for (const session of this.sessions) endSession(session);
  }
}

/**
 * Lets the open streams of a session finish, and then closes it. New requests of its client use
 * another one. A client that reads nothing, or does not close its side, loses its connection.
 */
export function endSession(session: Http2Session): void {
  if (session.closed || session.destroyed) return;
  watch(session);
  session.close();
}

/** Destroys a session whose client reads nothing, unless it takes some of its data. */
export function endIfStuck(session: Http2Session): void {
  if (!session.closed && !session.destroyed) watch(session);
}

/**
 * A session may keep its socket for ever, and a closing server waits for it:
 * - if a write fails over TLS, Node never tells the next write, and it reads no more by then
 * - if the client does not close its side
 * - if the client reads nothing: a session is not closed as long as something waits for its socket
 */
function watch(session: Http2Session): void {
  if (watched.has(session)) return;
  watched.add(session);
  let waiting = 0;
  let stuck = 0;
  let late = 0;
  // The session forgets its socket before that has closed, and gives out one without `destroy()`.
  const stop = (): void => clearInterval(check);
  const socket = session.socket.once('close', stop);
  const check = setInterval(() => {
    if (session.destroyed) {
      late++;
      if (late === 2) socket.destroySoon();
      if (late > 2) socket.destroy();
      return;
    }
    const before = waiting;
    waiting = waitingIn(socket);
    stuck = waiting > 0 && waiting === before ? stuck + 1 : 0;
    if (stuck === STUCK_CHECKS) {
      session.destroy();
      socket.destroy();
    } else if (waiting === 0 && !session.closed) {
      watched.delete(session);
      socket.off('close', stop);
      stop();
    }
  }, CHECK_MS).unref();
}

/** Bytes that the system has not taken. Not public in Node: 0 where it is missing. */
function waitingIn(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null };
  return handle?.writeQueueSize ?? 0;
}
