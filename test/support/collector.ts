import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The garbage collector, which Node shows only when asked. */
export function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return (globalThis as { gc?: () => void }).gc ?? (runInNewContext('gc') as () => void);
}

/** What stays on the heap of what `fill` does. Bytes. */
export async function heapOf(fill: () => Promise<unknown>): Promise<number> {
  const before = await settledHeap();
  await fill();
  return (await settledHeap()) - before;
}

/**
 * What is on the heap once collecting no longer frees anything. What test files before this one
 * have left goes in several turns: its finalizers run between two of them.
 */
async function settledHeap(): Promise<number> {
  const gc = collector();
  let used = Infinity;
  for (let steady = 0; steady < 3;) {
    gc();
    await setImmediate();
    const now = process.memoryUsage().heapUsed;
    steady = now > used - STEADY_BYTES ? steady + 1 : 0;
    used = Math.min(used, now);
  }
  return used;
}

const STEADY_BYTES = 20_000;
