import type { Http2Session } from 'node:http2';

/** After two of these, a socket without a stream is destroyed. */
const LEAVE_MS = 2_500;

/**
 * Lets the open streams of a session finish, and then closes it. New requests of its client use
 * another one.
 *
 * A session whose client has gone may keep its socket for ever, and a closing server waits for it:
 * if a write fails over TLS, Node never tells the next write, and it reads no more by then. A
 * client that does not close its side has the same effect.
 */
export function endSession(session: Http2Session): void {
  if (session.closed || session.destroyed) return;
  // The session forgets its socket before that has closed.
  const { socket } = session;
  const destroySoon = socket.destroySoon.bind(socket);
  let isLate = false;
  const check = setInterval(() => {
    if (!session.destroyed) return;
    if (isLate) destroySoon();
    isLate = true;
  }, LEAVE_MS).unref();
  session.once('close', () => clearInterval(check));
  session.close();
}
