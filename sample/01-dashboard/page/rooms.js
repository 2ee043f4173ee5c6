// What each room shows of its events: a few lines in a plot, one figure that matters most, and a
// note.
import { BYTES, BYTES_PER_SECOND, MILLISECONDS, PER_SECOND, PERCENT, PROCESSES } from './units.js';

/** More cores than this are drawn alike, under their average. */
const MAX_CORE_LINES = 8;

const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function linesOfCores({ cores }) {
  const alike = cores.length > MAX_CORE_LINES;
  const quiet = alike ? 'Each core' : undefined;
  const lines = cores.map((value, index) => ({
    label: `Core ${index}`,
    value,
    quiet,
    area: index === 0 && !alike,
  }));
  return alike ? [...lines, { label: 'Average', value: average(cores), area: true }] : lines;
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** `color` is the room's own, `colors` are those of its lines. */
export const ROOMS = [
  {
    name: 'cpu',
    title: 'CPU',
    unit: PERCENT,
    color: 1,
    colors: [1, 2, 3, 4, 5, 6, 7, 8],
    lines: linesOfCores,
    headline: ({ cores }) => PERCENT.format(average(cores)),
    note: ({ cores }) => `average of ${plural(cores.length, 'core')}`,
  },
  {
    name: 'memory',
    title: 'Memory',
    unit: BYTES,
    color: 4,
    colors: [4, 2],
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
    color: 3,
    colors: [3, 1, 2],
    lines: ({ one, five, fifteen }) => [
      { label: '1 min', value: one, area: true },
      { label: '5 min', value: five },
      { label: '15 min', value: fifteen },
    ],
    headline: ({ one }) => PROCESSES.format(one),
    note: () => '1 min',
  },
  {
    name: 'network',
    title: 'Network',
    unit: BYTES_PER_SECOND,
    color: 6,
    colors: [6, 2, 4],
    lines: ({ received, sent, loopback }) => [
      { label: 'In', value: received, area: true },
      { label: 'Out', value: sent },
      { label: 'Loopback', value: loopback },
    ],
    headline: ({ received, sent, loopback }) => BYTES_PER_SECOND.format(received + sent + loopback),
    note: ({ interfaces }) => [...interfaces, 'lo'].join(', '),
  },
  {
    name: 'disk',
    title: 'Disk',
    unit: BYTES_PER_SECOND,
    color: 2,
    colors: [6, 2],
    lines: ({ read, written }) => [
      { label: 'Read', value: read },
      { label: 'Written', value: written, area: true },
    ],
    headline: ({ read, written }) => BYTES_PER_SECOND.format(read + written),
    note: ({ devices }) => devices.join(', '),
  },
  {
    name: 'event-loop',
    title: 'Event loop',
    unit: MILLISECONDS,
    color: 7,
    colors: [8, 7, 5],
    lines: ({ p50, p99, max }) => [
      { label: 'p50', value: p50 },
      { label: 'p99', value: p99, area: true },
      { label: 'Max', value: max },
    ],
    headline: ({ p99 }) => MILLISECONDS.format(p99),
    note: () => 'delay, p99',
  },
  {
    name: 'streams',
    title: 'Streams',
    unit: PER_SECOND,
    color: 5,
    colors: [5, 1],
    lines: ({ published, delivered }) => [
      { label: 'Delivered', value: delivered, area: true },
      { label: 'Emitted', value: published },
    ],
    headline: ({ delivered }) => PER_SECOND.format(delivered),
    note: ({ connections }) => `delivered to ${plural(connections, 'stream')}`,
  },
];
