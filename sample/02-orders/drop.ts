import type { IncomingMessage } from 'node:http';
import type { SseConnections } from 'nestjs-eventstream';

/** Destroys the socket of a connection. Answers whether this process has the connection. */
export function drop(connections: SseConnections, id: string): boolean {
  const connection = connections.find((one) => one.id === id);
  (connection?.request as IncomingMessage | undefined)?.socket.destroy();
  return connection !== undefined;
}
