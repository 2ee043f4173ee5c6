// What a run is told by its environment. Everything has a default; a bad value ends the run before
// it begins.

import { KINDS } from './faults.mjs';

const { env } = process;

function number(name, fallback) {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0)
    throw new Error(`${name}: expected a number, got ${text}`);
  return value;
}

/** Beginnings of names of faults. */
function kinds(name) {
  const words = (env[name] ?? '').split(',').filter((word) => word !== '');
  for (const word of words) {
    if (KINDS.some((kind) => kind.startsWith(word))) continue;
    throw new Error(`${name}: no fault begins with ${word}; there are ${KINDS.join(', ')}`);
  }
  return words;
}

export function readOptions() {
  const log = env.CHAOS_LOG ?? 'redis';
  if (log !== 'redis' && log !== 'memory') {
    throw new Error(`CHAOS_LOG: expected redis or memory, got ${log}`);
  }
  const seconds = number('CHAOS_SECONDS', 60);
  return {
    log,
    seconds,
    seed: number('CHAOS_SEED', Math.floor(Math.random() * 2 ** 31)),
    /** Faults to leave out, or the only ones to have: names, or what names begin with. */
    without: kinds('CHAOS_WITHOUT'),
    only: kinds('CHAOS_ONLY'),
    clients: number('CHAOS_CLIENTS', 24),
    /** Events per second, of all publishers together. */
    rate: number('CHAOS_RATE', 60),
    /** Rooms that one process has because of a few clients with thousands of rooms each. */
    wideRooms: number('CHAOS_WIDE', seconds >= 600 ? 100_000 : 20_000),
    /**
     * The most memory that a process may take: in all with Redis, above its start with the memory
     * log.
     */
    budgetMb: number('CHAOS_BUDGET_MB', log === 'redis' ? 400 : 300),
    /** How many times as often as usual faults come. */
    pace: number('CHAOS_PACE', 1),
    /** How long clients may take to have everything, once nothing disturbs them any more. */
    quietSeconds: number('CHAOS_QUIET', 45),
    /** The library as its sources are, compiled as it loads, instead of `dist/`. */
    isFromSources: env.CHAOS_SOURCES === '1',
    jsonFile: env.CHAOS_JSON,
  };
}
