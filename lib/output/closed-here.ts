import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';

/** Sockets and HTTP/2 streams that code of this process closed, without an error. */
const closedHere = new WeakSet();

/**
 * Notices `socket.end()` and `stream.close()` by code of the app. Afterwards both look as if the
 * client had closed them: its side ends too.
 */
export function watchClosing(transport: Socket | ServerHttp2Stream): void {
  if ('rstCode' in transport) {
    transport.close = close;
    return;
  }
  // Serverless adapters bring sockets that are less than Node's. A kept-alive socket has carried
  // other streams before.
  const { listeners } = transport as Partial<Socket>;
  if (listeners === undefined || transport.listeners('end').includes(onClientEnd)) return;
  // Before Node's own listener, which ends the socket in answer to the client.
  transport.prependListener('end', onClientEnd);
}

export function wasClosedHere(transport: object): boolean {
  return closedHere.has(transport);
}

function onClientEnd(this: Socket): void {
  if (this.writableEnded) closedHere.add(this);
}

function close(this: ServerHttp2Stream, ...args: Parameters<ServerHttp2Stream['close']>): void {
  // Node closes the streams of a socket that is gone.
  if (this.session?.socket.destroyed === false) closedHere.add(this);
  (Object.getPrototypeOf(this) as ServerHttp2Stream).close.apply(this, args);
}
