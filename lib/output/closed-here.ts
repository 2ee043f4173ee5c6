import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';

/** Sockets and HTTP/2 streams that code in this process closed without an error. */
const closedHere = new WeakSet();

/**
 * Notices when code of the app calls `socket.end()` or `stream.close()`. Afterwards both look as if
 * the client had closed them, because its side ends too.
 */
export function watchClosing(transport: Socket | ServerHttp2Stream): void {
  if ('rstCode' in transport) {
    transport.close = close;
    return;
  }
  // The sockets of serverless adapters lack some of Node's methods. A kept-alive socket may have
  // carried earlier streams.
  const { listeners } = transport as Partial<Socket>;
  if (listeners === undefined || transport.listeners('end').includes(onClientEnd)) return;
  // Must run before Node's own listener, which ends the socket in answer to the client.
  transport.prependListener('end', onClientEnd);
}

export function wasClosedHere(transport: object): boolean {
  return closedHere.has(transport);
}

function onClientEnd(this: Socket): void {
  if (this.writableEnded) closedHere.add(this);
}

function close(this: ServerHttp2Stream, ...args: Parameters<ServerHttp2Stream['close']>): void {
  // Node itself closes the streams of a destroyed socket.
  if (this.session?.socket.destroyed === false) closedHere.add(this);
  (Object.getPrototypeOf(this) as ServerHttp2Stream).close.apply(this, args);
}
