import { firstOf } from './first-of.js';
import { MAX_NOTES } from './notes.js';
import type { ProcessReport } from './process-report.js';
import type {
  InspectedConnections,
  InspectedNotes,
  InspectedRoom,
  InspectedRooms,
  InspectedTraffic,
  TrafficFigures,
} from './state.js';

/** The connections of some processes in one list. */
export function mergedConnections(
  all: readonly InspectedConnections[],
  max: number,
): InspectedConnections {
  const sumOf = (name: 'open' | 'blocked' | 'bufferedBytes' | 'inspectors' | 'found'): number =>
    all.reduce((sum, one) => sum + one[name], 0);
  const list = firstOf(
    all.flatMap((one) => one.list),
    max,
    (one, other) =>
      Number(other.isBlocked) - Number(one.isBlocked) ||
      other.eventsPerSecond - one.eventsPerSecond ||
      other.sentEvents - one.sentEvents,
  );
  const found = sumOf('found');
  return {
    open: sumOf('open'),
    blocked: sumOf('blocked'),
    bufferedBytes: sumOf('bufferedBytes'),
    inspectors: sumOf('inspectors'),
    found,
    list,
    leftOut: found - list.length,
  };
}

/**
 * The rooms of some processes, each once. How many there are in all is known only where no list is
 * cut, as processes have rooms in common.
 */
export function mergedRooms(all: readonly InspectedRooms[], max: number): InspectedRooms {
  const byKey = new Map<string, InspectedRoom>();
  for (const room of all.flatMap(({ list }) => list)) {
    const key = JSON.stringify([room.hub, room.name]);
    const before = byKey.get(key);
    byKey.set(key, {
      ...room,
      connections: room.connections + (before?.connections ?? 0),
      eventsPerSecond: tenths(room.eventsPerSecond + (before?.eventsPerSecond ?? 0)),
    });
  }
  const list = firstOf(
    byKey.values(),
    max,
    (one, other) =>
      other.eventsPerSecond - one.eventsPerSecond || other.connections - one.connections,
  );
  const found = Math.max(byKey.size, ...all.map((one) => one.found));
  const count = Math.max(byKey.size, ...all.map((one) => one.count));
  return { count, found, list, leftOut: found - list.length };
}

/** Those that do not count yet are left out. */
export function mergedTraffic(
  reports: readonly (InspectedTraffic | null)[],
): InspectedTraffic | null {
  const all = reports.filter((one) => one !== null);
  const [first] = all;
  if (first === undefined) return null;
  return {
    since: Math.min(...all.map(({ since }) => since)),
    total: sumOfFigures(all.map(({ total }) => total)),
    perSecond: sumOfFigures(all.map(({ perSecond }) => perSecond)),
    closes: sumOfCounts(all.map(({ closes }) => closes)),
    refusals: sumOfCounts(all.map(({ refusals }) => refusals)),
    gaps: sumOfCounts(all.map(({ gaps }) => gaps)),
  };
}

export function mergedNotes(reports: readonly ProcessReport[], now: number): InspectedNotes {
  const all = reports.map(({ notes }) => notes);
  return {
    since: Math.min(now, ...all.map(({ since }) => since)),
    list: all
      .flatMap(({ list }) => list)
      .sort((one, other) => other.at - one.at)
      .slice(0, MAX_NOTES),
  };
}

function sumOfFigures(all: readonly TrafficFigures[]): TrafficFigures {
  return sumOfCounts(
    all as readonly unknown[] as Record<string, number>[],
  ) as unknown as TrafficFigures;
}

function sumOfCounts(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums = new Map<string, number>();
  for (const [name, times] of all.flatMap((counts) => Object.entries(counts))) {
    sums.set(name, tenths((sums.get(name) ?? 0) + times));
  }
  return Object.fromEntries(sums);
}

/** Sums of rates would get digits that say nothing. */
function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
