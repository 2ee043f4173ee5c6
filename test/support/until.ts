import { setTimeout as delay } from 'node:timers/promises';
import type { RedisServer } from './redis-server.js';

/** Looks again and again, for what nobody announces. */
export async function until(what: string, look: () => unknown, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(5);
  }
}

/**
 * The master has a replica that has all, and counts for `WAIT`: it says so only some time after it
 * was started.
 */
export function untilReplicated(master: RedisServer): Promise<void> {
  return until('a replica has caught up', async () => {
    const info = await master.command('INFO', 'replication');
    const offset = /master_repl_offset:(\d+)/.exec(info)?.[1];
    return info.includes(`state=online,offset=${offset},`);
  });
}
