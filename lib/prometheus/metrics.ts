import { Counter, Gauge, Histogram, register } from 'prom-client';
import type { Overflow } from '../output/backlog.js';
import { CLOSE_REASONS } from '../connection/close-reason.js';
import type { Registry } from '../connection/registry.js';
import type { SseConnection } from '../connection/sse-connection.js';
import { Stream } from '../connection/stream.js';
import type { RefusalReason } from '../connection/diagnostics.js';
import type { SseErrorCode } from '../ground/errors.js';
import type { GapReason } from '../log/event-log.js';
import type { Broadcaster } from '../hub/broadcaster.js';
import type { Hubs } from '../hub/hubs.js';
import { listen, type DiagnosticsListeners } from '../hub/listen.js';
import { askHubs, type Describe } from './hub-gauges.js';
import type { SsePrometheusOptions } from './prometheus.options.js';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
/** In seconds. */
const DURATION_BUCKETS = [1, 10, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, 24 * HOUR];

// The values of labels. Anything else becomes `other`, so that a text passed to `close()` does not
// create a new series.
const DROP_REASONS: readonly Overflow[] = ['drop-oldest', 'drop-newest', 'conflate'];
const GAP_REASONS: readonly GapReason[] = ['trimmed', 'epoch', 'unknown', 'overflow'];
const LIMITS: readonly RefusalReason[] = ['process', 'key', 'rate', 'room', 'shutdown', 'log'];
const ERROR_CODES: readonly SseErrorCode[] = [
  'SSE_INVALID_FIELD',
  'SSE_SERIALIZE',
  'SSE_CLOSED',
  'SSE_LIMIT',
  'SSE_OVERFLOW',
  'SSE_LOG_UNAVAILABLE',
  'SSE_NOT_STREAMABLE',
  'SSE_OPTIONS',
];

/** What was written to the sockets of ended connections. */
interface Written {
  events: number;
  bytes: number;
}

/** Registers the metrics of one app, and counts until the returned function is called. */
export function collectMetrics(
  connections: Registry,
  hubs: Hubs,
  { registry = register, prefix = '' }: SsePrometheusOptions,
): () => void {
  const names: string[] = [];
  const describe: Describe = (ownName, help) => {
    const name = prefix + ownName;
    names.push(name);
    return { name, help, registers: [registry] };
  };
  const written: Written = { events: 0, bytes: 0 };
  askWhenScraped(describe, connections, hubs, written);
  const stop = listen('The metrics', counters(describe, connections, hubs, written));
  return () => {
    stop();
    for (const name of names) registry.removeSingleMetric(name);
  };
}

/**
 * Registers metrics that are computed at each scrape. Each connection already counts its writes,
 * the most frequent operation, so these metrics cost nothing in between.
 */
function askWhenScraped(
  describe: Describe,
  connections: Registry,
  hubs: Hubs,
  written: Written,
): void {
  const sumOf = (figure: (connection: SseConnection) => number): number =>
    connections.list().reduce((sum, connection) => sum + figure(connection), 0);

  const gauge = (name: string, help: string, ask: () => number) =>
    new Gauge({
      ...describe(name, help),
      collect() {
        this.set(ask());
      },
    });
  const counter = (name: string, help: string, ask: () => number) =>
    new Counter({
      ...describe(name, help),
      collect() {
        this.reset();
        this.inc(ask());
      },
    });

  gauge('sse_connections_active', 'Open streams', () => connections.count);
  gauge(
    'sse_buffered_bytes',
    'Bytes in the backlogs of clients; shared bytes count for each client',
    () => sumOf(({ bufferedBytes }) => bufferedBytes),
  );
  counter(
    'sse_events_sent_total',
    'Events written to sockets, once per reader',
    () => written.events + sumOf(({ sentEvents }) => sentEvents),
  );
  counter(
    'sse_bytes_sent_total',
    'Bytes of streams written to sockets',
    () => written.bytes + sumOf(({ sentBytes }) => sentBytes),
  );
  askHubs(describe, hubs);
}

/**
 * Counts what can only be counted when it happens. The channels belong to the process, which may
 * run other apps too.
 */
function counters(
  describe: Describe,
  connections: Registry,
  hubs: Hubs,
  written: Written,
): DiagnosticsListeners {
  // Another copy of this library may publish on the same channels.
  const isOurs = (connection: SseConnection | undefined): connection is Stream =>
    connection instanceof Stream && connection.host === connections;
  const running: ReadonlySet<Broadcaster> = hubs.running;

  const opened = new Counter(describe('sse_connections_total', 'Streams that began'));
  const firstByte = new Histogram(
    describe(
      'sse_time_to_first_byte_seconds',
      'Time from the call of the handler to the first byte of its stream',
    ),
  );
  const closed = counterBy(
    'reason',
    CLOSE_REASONS,
    describe('sse_connections_closed_total', 'Streams that ended'),
  );
  const duration = new Histogram({
    ...describe('sse_connection_duration_seconds', 'How long ended streams were open'),
    buckets: DURATION_BUCKETS,
  });
  const refused = counterBy(
    'limit',
    LIMITS,
    describe('sse_refused_total', 'Connections that were refused'),
  );
  const published = new Counter({
    ...describe('sse_events_published_total', 'Events from this process that a log has accepted'),
    labelNames: ['hub'],
    collect() {
      for (const { name } of hubs.running) published.inc({ hub: name }, 0);
    },
  });
  const replayed = new Counter(
    describe('sse_events_replayed_total', 'Missed events replayed to returning clients'),
  );
  const dropped = counterBy(
    'reason',
    DROP_REASONS,
    describe('sse_events_dropped_total', 'Events dropped for clients that read too slowly'),
  );
  const gaps = counterBy(
    'reason',
    GAP_REASONS,
    describe('sse_gaps_total', 'Gaps reported to clients: missed events that cannot be replayed'),
  );
  const stalls = new Counter(
    describe('sse_stalls_total', 'Clients disconnected because they read nothing'),
  );
  const errors = counterBy(
    'code',
    ERROR_CODES,
    describe('sse_errors_total', 'Streams that failed, and events that were not published'),
  );

  return {
    open({ connection, openingMs }) {
      if (!isOurs(connection)) return;
      opened.inc();
      firstByte.observe(openingMs / 1_000);
    },
    close({ connection, reason, durationMs }) {
      if (!isOurs(connection)) return;
      closed(reason);
      duration.observe(durationMs / 1_000);
      written.events += connection.sentEvents;
      written.bytes += connection.sentBytes;
    },
    refuse(message) {
      if (message.connections === connections) refused(message.reason);
    },
    publish({ broadcaster, hub }) {
      if (running.has(broadcaster)) published.inc({ hub });
    },
    replay({ connection, events }) {
      if (isOurs(connection)) replayed.inc(events);
    },
    drop({ connection, events }) {
      if (isOurs(connection)) dropped(connection.settings.overflow, events);
    },
    gap({ connection, reason }) {
      if (isOurs(connection)) gaps(reason);
    },
    stall({ connection }) {
      if (isOurs(connection)) stalls.inc();
    },
    error({ error, connection, broadcaster }) {
      const isOurHub = broadcaster !== undefined && running.has(broadcaster);
      if (isOurHub || isOurs(connection)) errors(codeOf(error));
    },
  };
}

/** The code of a thrown value, which may have none, or throw when it is read. */
function codeOf(error: unknown): string {
  try {
    return String((Object(error) as { code?: unknown }).code);
  } catch {
    return '';
  }
}

/**
 * Counts by a label with few values. Each value exists from the beginning, so that its first
 * occurrence shows as an increase.
 */
function counterBy(
  label: string,
  values: readonly string[],
  description: ReturnType<Describe>,
): (value: string, count?: number) => void {
  const counter = new Counter({ ...description, labelNames: [label] });
  for (const value of values) counter.inc({ [label]: value }, 0);
  return (value, count = 1) => {
    counter.inc({ [label]: values.includes(value) ? value : 'other' }, count);
  };
}
