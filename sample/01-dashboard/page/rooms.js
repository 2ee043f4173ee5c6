// What each room shows of its events: a few lines in a plot, one figure that matters most, and a note.
import {
  BYTES,
  BYTES_PER_SECOND,
  COUNT,
  MILLISECONDS,
  PER_SECOND,
  PERCENT,
  PROCESSES,
} from './units.js';

/** More cores than this are drawn alike, under their average. */
const MAX_CORE_LINES = 8;

const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function lineOfCores({ cores }) {
  const alike = cores.length > MAX_CORE_LINES;
  const quiet = alike ? 'Each core' : undefined;
  const lines = cores.map((value, index) => ({ label: `Core ${index}`, value, quiet }));
  return alike ? [...lines, { label: 'Average', value: average(cores) }] : lines;
}

export const ROOMS = [
  {
    name: 'cpu',
    title: 'CPU',
    unit: PERCENT,
    lines: lineOfCores,
    headline: ({ cores }) => PERCENT.format(average(cores)),
    note: ({ cores }) => `average of ${cores.length} ${cores.length === 1 ? 'core' : 'cores'}`,
  },
  {
    name: 'memory',
    title: 'Memory',
    unit: BYTES,
    lines: ({ usedBytes, processBytes }) => [
      { label: 'In use', value: usedBytes, area: true },
      { label: 'This server', value: processBytes },
    ],
    headline: ({ usedBytes }) => BYTES.format(usedBytes),
    note: ({ totalBytes }) => `of ${BYTES.format(totalBytes)}`,
  },
  {
    name: 'load',
    title: 'Load average',
    unit: PROCESSES,
    lines: ({ one, five, fifteen }) => [
      { label: '1 min', value: one, area: true },
      { label: '5 min', value: five },
      { label: '15 min', value: fifteen },
    ],
    headline: ({ one }) => PROCESSES.format(one),
    note: () => 'processes',
  },
  {
    name: 'network',
    title: 'Network',
    unit: BYTES_PER_SECOND,
    lines: ({ received, sent, loopback }) => [
      { label: 'In', value: received },
      { label: 'Out', value: sent },
      { label: 'Local', value: loopback },
    ],
    headline: ({ received, sent }) => BYTES_PER_SECOND.format(received + sent),
    note: ({ interfaces }) => interfaces.join(', '),
  },
  {
    name: 'disk',
    title: 'Disk',
    unit: BYTES_PER_SECOND,
    lines: ({ read, written }) => [
      { label: 'Read', value: read },
      { label: 'Written', value: written },
    ],
    headline: ({ read, written }) => BYTES_PER_SECOND.format(read + written),
    note: ({ devices }) => devices.join(', '),
  },
  {
    name: 'event-loop',
    title: 'Event-loop delay',
    unit: MILLISECONDS,
    lines: ({ p50, p99, max }) => [
      { label: 'p50', value: p50 },
      { label: 'p99', value: p99 },
      { label: 'Max', value: max },
    ],
    headline: ({ p99 }) => MILLISECONDS.format(p99),
    note: () => 'p99',
  },
  {
    name: 'streams',
    title: 'Streams',
    unit: COUNT,
    lines: ({ connections, published, delivered }) => [
      { label: 'Open', value: connections },
      { label: 'Emitted', value: published, unit: PER_SECOND },
      { label: 'Delivered', value: delivered, unit: PER_SECOND },
    ],
    headline: ({ connections }) => COUNT.format(connections),
    note: ({ bufferedBytes }) => `open, ${BYTES.format(bufferedBytes)} waiting`,
  },
];
