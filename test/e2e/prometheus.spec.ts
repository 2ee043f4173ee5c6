import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { describe, expect, it, jest } from '@jest/globals';
import { Controller, Param } from '@nestjs/common';
import { register, Registry } from 'prom-client';
import { concat, EMPTY, firstValueFrom, NEVER, of, take, throwError, toArray } from 'rxjs';
import {
  Broadcaster,
  getBroadcasterToken,
  SSE_CHANNELS,
  SseConnections,
  SseError,
  SseModule,
  SseStream,
  type Appended,
  type SseDiagnostics,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { SsePrometheusModule, type SsePrometheusOptions } from 'nestjs-eventstream/prometheus';
import { hubOf } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { ADAPTERS, serve, type Adapter } from '../support/serve.js';
import type { TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('rooms/:room') room(@Param('room') room: string) {
    return this.hub.stream(room);
  }
  @SseStream('members/:id') member(@Param('id') id: string) {
    return this.hub.stream('lobby', { presence: { member: () => ({ id }) } });
  }
  @SseStream('ending') ending() {
    return of(1, 2, 3);
  }
  @SseStream('empty') empty() {
    return EMPTY;
  }
  @SseStream('failing') failing() {
    return concat(
      of('first'),
      throwError(() => new TypeError()),
    );
  }
  @SseStream('silent') silent() {
    return NEVER;
  }
}

class SwitchedLog extends MemoryEventLog {
  static trouble: string | undefined;
  get trouble(): string | undefined {
    return SwitchedLog.trouble;
  }
  override append(...event: Parameters<MemoryEventLog['append']>): Promise<Appended> {
    if (this.trouble === undefined) return super.append(...event);
    return Promise.reject(new SseError('SSE_LOG_UNAVAILABLE', this.trouble));
  }
}

async function start(
  adapter: Adapter = 'express',
  { registry = new Registry(), ...options }: SsePrometheusOptions = {},
  sse: SseModuleOptions = {},
) {
  const app = await serve(Streams, {
    adapter,
    sse,
    module: {
      imports: [
        SseModule.forFeature([{ name: 'orders' }]),
        SsePrometheusModule.forRoot({ registry, ...options }),
      ],
    },
  });
  const connections = app.nest.get(SseConnections);
  const open = async (path: string, lastEventId = ''): Promise<TestStream> => {
    const stream = app.open(path, { headers: { 'last-event-id': lastEventId } });
    await stream.until(({ text }) => text.includes('\n\n'));
    return stream;
  };
  /** Until the server knows it too. */
  const leave = async (stream: TestStream): Promise<void> => {
    const { count } = connections;
    stream.close();
    await until('the client has left', () => connections.count < count);
  };
  return {
    app,
    connections,
    registry,
    open,
    leave,
    hub: app.nest.get(Broadcaster),
    orders: app.nest.get<Broadcaster>(getBroadcasterToken('orders')),
    scrape: async () => figures(await registry.metrics()),
  };
}

/**
 * Each line of the text of a scrape, without the buckets and sums of histograms, which are times.
 */
function figures(text: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => /^\w*sse_/.test(line));
  return Object.fromEntries(
    lines
      .filter((line) => !/_bucket\{|_sum /.test(line))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
}

/** What is not null. */
const counted = (all: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(all).filter(([, figure]) => figure !== 0));

describe.each(ADAPTERS)('the metrics of an app (%s)', (adapter) => {
  // feature: 79
  it('are those of a run whose figures are known', async () => {
    const { app, connections, hub, orders, open, leave, scrape } = await start(
      adapter,
      {},
      { log: ({ history }) => new SwitchedLog(history) },
    );
    const one = await open('/rooms/a');
    const two = await open('/rooms/a');
    await hub.to('a').emit('tick', 1); // two readers
    await orders.to('a').emit('tick', 1); // none: another hub
    const { id } = await one.next();
    await leave(one);
    await hub.to('a').emit('tick', 2); // one reader
    await hub.to('a', 'b').emit('tick', 3); // one reader
    const back = await open('/rooms/a', id); // two replayed
    await back.take(2);
    const lost = await open('/rooms/a', 'not one of ours'); // a gap
    await lost.next();
    await two.take(3);
    const ended = ['/ending', '/empty', '/failing'].map((path) => app.open(path));
    await Promise.all(ended.map((stream) => stream.ended));
    for (const reason of ['banned', 'user 17', undefined]) {
      const silent = await open('/silent');
      ended.push(silent);
      connections.list().at(-1)?.close(reason);
      await silent.ended;
    }
    SwitchedLog.trouble = 'it is away';
    await expect(hub.to('a').emit('tick', 4)).rejects.toThrow('away');
    await expect(orders.to('a').emit('tick', 4)).rejects.toThrow('away');
    const away = await scrape();
    SwitchedLog.trouble = undefined;
    const texts = [one, two, back, lost, ...ended].map(({ text }) => Buffer.byteLength(text));

    expect(away).toEqual({
      sse_connections_active: 3,
      sse_connections_total: 10,
      'sse_connections_closed_total{reason="client"}': 1,
      'sse_connections_closed_total{reason="complete"}': 2,
      'sse_connections_closed_total{reason="auth"}': 0,
      'sse_connections_closed_total{reason="error"}': 1,
      'sse_connections_closed_total{reason="gap"}': 0,
      'sse_connections_closed_total{reason="server"}': 1,
      'sse_connections_closed_total{reason="stall"}': 0,
      'sse_connections_closed_total{reason="overflow"}': 0,
      'sse_connections_closed_total{reason="shutdown"}': 0,
      'sse_connections_closed_total{reason="duration"}': 0,
      'sse_connections_closed_total{reason="other"}': 2,
      sse_connection_duration_seconds_count: 7,
      sse_time_to_first_byte_seconds_count: 10,
      'sse_events_published_total{hub=""}': 3,
      'sse_events_published_total{hub="orders"}': 1,
      sse_events_sent_total: 2 + 1 + 1 + 2 + 3 + 1,
      sse_bytes_sent_total: texts.reduce((sum, bytes) => sum + bytes),
      sse_buffered_bytes: 0,
      sse_events_replayed_total: 2,
      'sse_events_dropped_total{reason="drop-oldest"}': 0,
      'sse_events_dropped_total{reason="drop-newest"}': 0,
      'sse_events_dropped_total{reason="conflate"}': 0,
      'sse_gaps_total{reason="trimmed"}': 0,
      'sse_gaps_total{reason="epoch"}': 0,
      'sse_gaps_total{reason="unknown"}': 1,
      'sse_gaps_total{reason="overflow"}': 0,
      'sse_refused_total{limit="process"}': 0,
      'sse_refused_total{limit="key"}': 0,
      'sse_refused_total{limit="rate"}': 0,
      'sse_refused_total{limit="room"}': 0,
      'sse_refused_total{limit="shutdown"}': 0,
      'sse_refused_total{limit="log"}': 0,
      'sse_errors_total{code="SSE_INVALID_FIELD"}': 0,
      'sse_errors_total{code="SSE_SERIALIZE"}': 0,
      'sse_errors_total{code="SSE_CLOSED"}': 0,
      'sse_errors_total{code="SSE_LIMIT"}': 0,
      'sse_errors_total{code="SSE_OVERFLOW"}': 0,
      'sse_errors_total{code="SSE_LOG_UNAVAILABLE"}': 2,
      'sse_errors_total{code="SSE_NOT_STREAMABLE"}': 0,
      'sse_errors_total{code="SSE_OPTIONS"}': 0,
      'sse_errors_total{code="other"}': 1,
      sse_stalls_total: 0,
      'sse_log_up{hub=""}': 0,
      'sse_log_up{hub="orders"}': 0,
      'sse_members{hub=""}': 0,
      'sse_members{hub="orders"}': 0,
      'sse_state_entries{hub=""}': 0,
      'sse_state_entries{hub="orders"}': 0,
    });
    expect(await scrape()).toEqual({
      ...away,
      'sse_log_up{hub=""}': 1,
      'sse_log_up{hub="orders"}': 1,
    });
  });

  it('count the members of this process, and the entries of the log', async () => {
    const { app, scrape, hub } = await start(adapter);
    const joined = firstValueFrom(hub.presence$.pipe(take(2), toArray()));
    for (const id of ['ann', 'ann', 'bob']) app.open(`/members/${id}`);
    await joined;
    await hub.state('prices').set('ACME', 1);
    // Two members, and for the process a lease, its name and that of the room.
    const expected = { 'sse_members{hub=""}': 2, 'sse_state_entries{hub=""}': 6 };
    expect(await scrape()).toMatchObject(expected);
    const head = jest.spyOn(hubOf(hub).log, 'head');
    head.mockRejectedValueOnce(new SseError('SSE_LOG_UNAVAILABLE', 'away'));
    const away = await scrape();
    expect(away).toMatchObject({ 'sse_members{hub=""}': 2 });
    expect(away).not.toHaveProperty(['sse_state_entries{hub=""}']);
    head.mockRestore();
    expect(await scrape()).toMatchObject(expected);
  });

  it('count the end of a client that has left, and nothing that comes after it', async () => {
    const { hub, open, leave, scrape } = await start(adapter);
    const stream = await open('/rooms/a');
    const before = await scrape();
    await leave(stream);
    await hub.to('a').emit('tick', 1);
    expect(await scrape()).toEqual({
      ...before,
      sse_connections_active: 0,
      'sse_connections_closed_total{reason="client"}': 1,
      sse_connection_duration_seconds_count: 1,
      'sse_events_published_total{hub=""}': 1,
    });
  });

  // A write to a socket that is broken counts as sent until its 'close' is heard:
  // lib/output/outbox.ts looks at no error.
  // feature: 79
  it('do not count what was for a socket that has broken', async () => {
    const { connections, hub, open, scrape } = await start(adapter);
    await open('/rooms/a');
    const { request } = connections.list()[0]!;
    (request.raw ?? (request as NonNullable<typeof request.raw>)).socket.destroy();
    await hub.to('a').emit('tick', 1);
    await until('the server has seen it', () => connections.count === 0);
    expect(await scrape()).toMatchObject({
      sse_events_sent_total: 0,
      'sse_connections_closed_total{reason="server"}': 1,
    });
  });

  // As above.
  // feature: 79
  it('do not count what was for a client that has reset its connection', async () => {
    const { app, connections, hub, scrape } = await start(adapter);
    const client = connect(app.port, '127.0.0.1');
    client.write('GET /rooms/a HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(client, 'data');
    // Between this and the write the server does not look at its sockets.
    await stat('.');
    client.resetAndDestroy();
    await hub.to('a').emit('tick', 1);
    await until('the server has seen it', () => connections.count === 0);
    expect(await scrape()).toMatchObject({
      sse_events_sent_total: 0,
      'sse_connections_closed_total{reason="client"}': 1,
    });
  });

  // feature: 79
  it('tell of a client that takes nothing, and what was left out for it', async () => {
    const { connection, scrape } = await startStalled(adapter);
    expect((await scrape())['sse_buffered_bytes']).toBe(connection.bufferedBytes);
    expect(await connection.closed).toBe('stall');
    expect(await scrape()).toMatchObject({
      sse_connections_active: 0,
      sse_buffered_bytes: 0,
      'sse_connections_closed_total{reason="stall"}': 1,
      'sse_events_dropped_total{reason="drop-newest"}': connection.droppedEvents,
      sse_events_sent_total: connection.sentEvents,
    });
  });

  // The channel `stall` tells it three times: lib/connection/stream.ts looks again while the socket
  // closes.
  it('tell of a stall once', async () => {
    const { connection, scrape } = await startStalled(adapter);
    await connection.closed;
    expect((await scrape())['sse_stalls_total']).toBe(1);
  });
});

/** With one client that takes nothing, for which something was left out already. */
async function startStalled(adapter: Adapter) {
  const started = await start(
    adapter,
    {},
    {
      backpressure: {
        overflow: 'drop-newest',
        maxBufferedBytes: 100_000,
        stallTimeoutMs: 500,
      },
      // Stalls are looked for as often.
      keepAlive: { intervalMs: 200 },
    },
  );
  const stalled = await started.open('/rooms/a');
  stalled.pause();
  const connection = started.connections.list()[0]!;
  await until('something is left out', async () => {
    for (let n = 0; n < 20; n++) await started.hub.to('a').emit('large', 'x'.repeat(10_000));
    return connection.droppedEvents > 0;
  });
  return { ...started, connection };
}

describe('two apps in one process', () => {
  it('have their own metrics in their own registries', async () => {
    const one = await start();
    const two = await start();
    const before = await two.scrape();
    const stream = await one.open('/rooms/a');
    await one.hub.to('a').emit('tick', 1);
    const { id } = await stream.next();
    await one.leave(stream);
    await one.hub.to('a').emit('tick', 2);
    await (await one.open('/rooms/a', id)).next();
    await (await one.open('/rooms/a', 'unknown')).next();
    await one.app.open('/failing').ended;
    refuse({ reason: 'process', request: { headers: {} }, connections: one.connections });
    await hubOf(one.hub).log.close();
    await expect(one.hub.to('a').emit('tick', 3)).rejects.toThrow('closed');

    expect(counted(await one.scrape())).toEqual({
      sse_connections_active: 2,
      sse_connections_total: 4,
      'sse_connections_closed_total{reason="client"}': 1,
      'sse_connections_closed_total{reason="error"}': 1,
      sse_connection_duration_seconds_count: 2,
      sse_time_to_first_byte_seconds_count: 4,
      'sse_events_published_total{hub=""}': 2,
      sse_events_sent_total: 3,
      sse_bytes_sent_total: expect.any(Number),
      sse_events_replayed_total: 1,
      'sse_gaps_total{reason="unknown"}': 1,
      'sse_refused_total{limit="process"}': 1,
      'sse_errors_total{code="SSE_CLOSED"}': 1,
      'sse_errors_total{code="other"}': 1,
      'sse_log_up{hub=""}': 1,
      'sse_log_up{hub="orders"}': 1,
    });
    expect(await two.scrape()).toEqual(before);
  });

  it('have them beside each other in one registry, with a prefix', async () => {
    const one = await start('express', { prefix: 'one_' });
    await start('express', { prefix: 'two_', registry: one.registry });
    await one.open('/silent');
    expect(await one.scrape()).toMatchObject({
      one_sse_connections_active: 1,
      two_sse_connections_active: 0,
    });
    await expect(start('express', { registry: one.registry, prefix: 'one_' })).rejects.toThrow(
      'one_sse_connections_active has already been registered',
    );
    await expect(start('express', { prefix: '1 ' })).rejects.toThrow('Invalid metric name');
  });
});

describe('the module', () => {
  it('takes its metrics with it, and leaves what others have put into the registry', async () => {
    register.clear();
    const first = await start('express', { registry: register });
    expect(Object.keys(figures(await register.metrics())).length).toBeGreaterThan(20);
    await first.app.close();
    expect(await register.metrics()).toBe('\n');
    const second = await start('express', { registry: register });
    await second.open('/silent');
    expect(await second.scrape()).toMatchObject({ sse_connections_total: 1 });
  });

  it('counts those that the shutdown ends', async () => {
    const { app, open, registry } = await start();
    await open('/silent');
    const closed = registry.getSingleMetric('sse_connections_closed_total');
    await app.close();
    expect((await closed?.get())?.values).toContainEqual({
      labels: { reason: 'shutdown' },
      value: 1,
    });
  });

  it('fills a registry for OpenMetrics', async () => {
    const openMetrics = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
    openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    const { app, open } = await start('express', { registry: openMetrics });
    await open('/silent');
    expect(await openMetrics.metrics()).toContain('\nsse_connections_total 1\n');
    await app.close();
    expect(figures(await openMetrics.metrics())).toEqual({});
  });
});

function refuse(message: SseDiagnostics['refuse']): void {
  channel(SSE_CHANNELS.refuse).publish(message);
}
