import { MAX_NOTES } from './notes.js';
import type {
  InspectedConnections,
  InspectedHub,
  InspectedNotes,
  InspectedRooms,
  InspectedTraffic,
  InspectorSamples,
} from './state.js';

/** The state of one process, as it reports it to a page. */
export interface ProcessReport {
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  readonly connections: InspectedConnections;
  readonly rooms: InspectedRooms;
  readonly hubs: readonly InspectedHub[];
  readonly traffic: InspectedTraffic | null;
  readonly notes: InspectedNotes;
  /** Only in the first answer to a page. */
  readonly samples?: InspectorSamples;
}

/** Each process of the app gets each answer, so it is small. */
export const MAX_ANSWER_BYTES = 32_000;
export const MAX_LISTED_OF_PEER = 50;
const MAX_REASONS = 10;
const MAX_HUBS = 10;

/** A report that fits into an answer to another process: of long lists only the beginning. */
export function fitted(report: ProcessReport): ProcessReport {
  for (let share = 1; ; share /= 2) {
    const { connections, rooms, hubs, traffic, notes } = report;
    const cut: ProcessReport = {
      ...report,
      connections: shortList(connections, Math.floor(MAX_LISTED_OF_PEER * share)),
      rooms: shortList(rooms, Math.floor(MAX_LISTED_OF_PEER * share)),
      hubs: hubs.filter(({ trouble }) => trouble !== null).slice(0, MAX_HUBS),
      traffic: traffic && {
        ...traffic,
        closes: most(traffic.closes),
        refusals: most(traffic.refusals),
        gaps: most(traffic.gaps),
      },
      notes: { ...notes, list: notes.list.slice(0, Math.floor((MAX_NOTES / 2) * share)) },
    };
    if (share < 0.01 || Buffer.byteLength(JSON.stringify(cut)) <= MAX_ANSWER_BYTES) return cut;
  }
}

function shortList<List extends InspectedConnections | InspectedRooms>(whole: List, max: number) {
  const list = whole.list.slice(0, max);
  return { ...whole, list, leftOut: whole.found - list.length } as List;
}

function most(counts: Readonly<Record<string, number>>): Record<string, number> {
  const byCount = Object.entries(counts).sort(([, one], [, other]) => other - one);
  return Object.fromEntries(byCount.slice(0, MAX_REASONS));
}
