import type { IncomingMessage } from 'node:http';

/** One listener per socket, however many responses wait for their turn on it. */
const waiting = new WeakMap<object, Set<() => void>>();

/** For a response that has no socket yet. Returns a function that removes the listener. */
export function onSocketClosed({ socket }: IncomingMessage, listener: () => void): () => void {
  let listeners = waiting.get(socket);
  if (listeners === undefined) {
    const waiters = (listeners = new Set());
    waiting.set(socket, waiters);
    socket.once('close', () => {
      for (const call of waiters) call();
    });
  }
  const all = listeners.add(listener);
  return () => void all.delete(listener);
}
