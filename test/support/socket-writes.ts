import { jest } from '@jest/globals';
import net from 'node:net';

type Write = (this: net.Socket, chunk: Uint8Array | string) => boolean;

/**
 * What the server at this port writes from now on, until the mocks are restored. The tests' own
 * output is a socket too.
 */
export function watchWrites(port: number): (Uint8Array | string)[] {
  const written: (Uint8Array | string)[] = [];
  const sockets: { write: Write } = net.Socket.prototype;
  const { write } = sockets;
  const record: Write = function (chunk) {
    if (this.localPort === port) written.push(chunk);
    return write.call(this, chunk);
  };
  jest.spyOn(net.Socket.prototype, 'write').mockImplementation(record);
  return written;
}
