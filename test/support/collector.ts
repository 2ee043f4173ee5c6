import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The garbage collector, which Node shows only when asked. */
export function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return (globalThis as { gc?: () => void }).gc ?? (runInNewContext('gc') as () => void);
}

/** What stays on the heap of what `fill` does. Bytes. */
export async function heapOf(fill: () => Promise<unknown>): Promise<number> {
  const gc = collector();
  gc();
  const before = process.memoryUsage().heapUsed;
  await fill();
  gc();
  return process.memoryUsage().heapUsed - before;
}
