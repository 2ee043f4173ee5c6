/** The last part of a time limit. It begins once the event loop runs. */
const LAST_MS = 200;

/**
 * Calls `late` when others have not answered within `ms`. Returns a function that cancels it. Does
 * not keep the process alive.
 *
 * After a stall, such as synchronous work or a paused process, timers run before sockets are read.
 * A plain timer would give up on answers that arrived long ago. So the limit has two parts: however
 * late the first one ends, the sockets are read for the whole second one, and once more after it.
 */
export function afterLimit(ms: number, late: () => void): () => void {
  const lastMs = Math.min(LAST_MS, ms);
  let reading: NodeJS.Immediate | undefined;
  let timer = setTimeout(() => {
    timer = setTimeout(() => (reading = setImmediate(late)), lastMs).unref();
  }, ms - lastMs).unref();
  return () => {
    clearTimeout(timer);
    clearImmediate(reading);
  };
}
